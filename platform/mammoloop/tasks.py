"""The demo's one job."""

from typing import Any

from accounts.models import Project
from jobs.handlers import JobContext, handler


@handler("demo.fill", queue="cpu")
def fill(context: JobContext, *, project_id: str) -> dict[str, Any]:
    # Here and not above: every process loads this file, and only a worker needs what makes phantoms (SciPy, 80 MB).
    from mammoloop.demo import content

    return content.fill(context, Project.objects.get(pk=project_id))
