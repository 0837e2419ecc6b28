"""What the job does with a closed delivery: unpack, recognise, take in file by file, admit, hand on to derive.

Every step looks at what is done already, so a job that was killed goes on at the file where it was.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from archive import importing, incoming, queries, rules, services, unpack
from archive.models import Ingest, IngestState, ItemState
from jobs.handlers import JobContext
from jobs.models import Job
from jobs.services import submit


def run(ctx: JobContext, ingest: Ingest) -> dict[str, Any]:
    """Parse an ingest to its end; the counts of how its items ended."""
    if ingest.state == IngestState.CLOSED:
        return _summary(ingest)
    _unpack_all(ctx, ingest)
    extra: dict[str, Any] = {}
    if _dataset_of(ingest) == importing.DICOM:
        _take_all(ctx, ingest)
        services.admit(ingest.project, queries.exams_of(ingest))
    else:
        extra = importing.IMPORTERS[ingest.dataset].run(ctx, ingest, _tree(ingest))
        _leave_the_rest(ingest)
    services.finish_ingest(ingest, closing=lambda: submit_derive(ingest))
    incoming.remove_all(ingest.pk)
    summary = _summary(ingest)
    ctx.conclude(rules.conclusion_of(summary["counts"], exams=summary["exams"]))
    return {**extra, **summary}


def submit_derive(ingest: Ingest) -> Job:
    """The job that prepares the images of an ingest and then opens its exams for reading."""
    return submit(
        "archive.derive", {"ingest_id": str(ingest.pk)}, actor=ingest.created_by, project=ingest.project,
        key=f"derive:{ingest.pk}", title="Prepare images for the reading room", link=f"/import/{ingest.pk}",
    )  # fmt: skip


def _summary(ingest: Ingest) -> dict[str, Any]:
    return {
        "dataset": ingest.dataset,
        "counts": queries.counts_of(ingest),
        "reasons": queries.reasons_of(ingest),
        "exams": queries.exams_of(ingest).count(),
    }


def _unpack_all(ctx: JobContext, ingest: Ingest) -> None:
    for item in queries.waiting_items(ingest).filter(parent=None):
        path = incoming.file_of(ingest.pk, item.n)
        if path.exists() and unpack.is_zip(path):
            ctx.progress(item.n, ingest.received, "Unpacking")
            unpack.unpack(ingest, item, each=ctx.check_cancelled)
    ingest.refresh_from_db()


def _dataset_of(ingest: Ingest) -> str:
    """Which data set this is; looked at once and then remembered, as its files go one by one."""
    if ingest.dataset == importing.AUTO:
        ingest.dataset = importing.recognised(_tree(ingest))
        ingest.save(update_fields=["dataset"])
    return ingest.dataset


def _tree(ingest: Ingest) -> Path:
    """Everything that the ingest still has on disk, under its names."""
    items = ingest.items.exclude(state=ItemState.UNPACKED).order_by("n")
    return incoming.lay_out(ingest.pk, list(items.values_list("n", flat=True)))


def _take_all(ctx: JobContext, ingest: Ingest) -> None:
    """Take in every waiting file as DICOM, and empty `incoming` one by one."""
    total = ingest.items.exclude(state=ItemState.UNPACKED).count()
    waiting = list(queries.waiting_items(ingest))
    ended: Counter[str] = Counter()
    for done, item in enumerate(waiting, start=total - len(waiting)):
        ctx.check_cancelled()
        ctx.progress(done, total, _words(ended))
        services.accept_dataset(incoming.file_of(ingest.pk, item.n), ingest=ingest, item=item)
        incoming.remove(ingest.pk, item.n)
        item.refresh_from_db()
        ended[item.state] += 1
    ctx.progress(total, total, _words(ended))


def _leave_the_rest(ingest: Ingest) -> None:
    """Files of a data set that its importer had no use for: pictures of nobody, read-me files."""
    for item in queries.waiting_items(ingest):
        services.use_item(item)


def _words(ended: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(ended.items()))
