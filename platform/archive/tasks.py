"""The archive's jobs."""

from typing import Any
from uuid import UUID

from archive import ingest, preparing
from archive.models import Archive, Ingest
from archive.pacs import pull
from jobs.handlers import JobContext, handler


@handler("archive.ingest", queue="io")
def run_ingest(ctx: JobContext, *, ingest_id: str) -> dict[str, Any]:
    """Parse what was delivered."""
    return ingest.run(ctx, Ingest.objects.select_related("project", "created_by").get(pk=UUID(ingest_id)))


@handler("archive.derive", queue="cpu")
def run_derive(ctx: JobContext, *, ingest_id: str) -> dict[str, Any]:
    """Prepare images for the reading room."""
    return preparing.run(ctx, Ingest.objects.get(pk=UUID(ingest_id)))


@handler("archive.pull", queue="io", max_attempts=5)
def run_pull(ctx: JobContext, *, archive_id: str, ingest_id: str, studies: list[str]) -> dict[str, Any]:
    """Fetch exams from another archive."""
    ingest_row = Ingest.objects.select_related("project", "created_by").get(pk=UUID(ingest_id))
    return pull.run(ctx, Archive.objects.get(pk=UUID(archive_id)), ingest_row, studies)
