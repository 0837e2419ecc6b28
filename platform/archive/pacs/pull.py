"""Fetch chosen exams from another archive into an ingest, as if somebody had sent the files."""

import io
from collections.abc import Iterator
from typing import Any

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from archive import services
from archive.errors import StudyMissing
from archive.models import Archive, Ingest, IngestState
from archive.pacs import client
from core.words import counted
from jobs.handlers import JobContext

_CHUNK = 2**20


def run(ctx: JobContext, archive: Archive, ingest: Ingest, studies: list[str]) -> dict[str, Any]:
    """Fetch every mammography instance of the studies, then close the ingest: its own job goes on from there.

    What came before a crash or an error of the archive is fetched once more and ends as a duplicate, or not at all:
    the ingest counts how many instances it has. Raises the errors of `client`; transient ones are tried again.
    """
    if ingest.state != IngestState.RECEIVING:
        return {"ingest": str(ingest.pk), "fetched": ingest.received}
    wanted: list[client.Instance] = []
    missing = 0
    for study in studies:
        ctx.check_cancelled()
        ctx.progress(0, None, "Asking for the exams")
        try:
            wanted += client.instances_of(archive, study)
        except StudyMissing:
            missing += 1
    if not wanted:
        raise StudyMissing()
    # The order is the same each time, so what is here already is what came first.
    for number, instance in enumerate(wanted[ingest.received :], start=ingest.received):
        ctx.check_cancelled()
        ctx.progress(number, len(wanted), "Fetching images")
        _take(ingest, client.fetch(archive, instance))
    ctx.progress(len(wanted), len(wanted), "Fetching images")
    job = services.close_ingest(ingest, by=ingest.created_by)
    gone = f" {counted(missing, 'exam')} had gone from the archive." if missing else ""
    ctx.conclude(f"Fetched {counted(len(wanted), 'image')} of {counted(len(studies) - missing, 'exam')}.{gone}")
    ctx.forget("studies")  # UIDs of the archive lead back to the person; a second delivery ends at the first line
    return {"ingest": str(ingest.pk), "job": str(job.pk), "fetched": len(wanted), "missing_studies": missing}


def _take(ingest: Ingest, dataset: Dataset) -> None:
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    services.receive_file(ingest, "", _chunks(buffer), expected=buffer.getbuffer().nbytes)


def _chunks(buffer: io.BytesIO) -> Iterator[bytes]:
    buffer.seek(0)
    while chunk := buffer.read(_CHUNK):
        yield chunk
