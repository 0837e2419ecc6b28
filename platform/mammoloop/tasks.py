"""The demo's one job."""

from typing import Any

from accounts.models import Project
from jobs.handlers import JobContext, handler
from mammoloop.demo import content


@handler("demo.fill", queue="cpu")
def fill(context: JobContext, *, project_id: str) -> dict[str, Any]:
    return content.fill(context, Project.objects.get(pk=project_id))
