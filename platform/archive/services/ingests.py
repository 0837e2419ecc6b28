"""Ingests and their items: received, settled one by one, closed."""

from collections.abc import Callable, Iterable
from pathlib import Path

from django.db import transaction
from django.db.models import F

from accounts.models import Project, User
from archive import importing, incoming, store
from archive.errors import IngestClosed
from archive.models import INGEST_MOVES, ITEM_MOVES, Image, Ingest, IngestItem, IngestState, ItemState
from core.audit import record
from core.clock import now
from core.errors import Invalid, MammoError
from core.moves import moved
from core.words import counted
from jobs.models import Job
from jobs.services import submit


@transaction.atomic
def create_ingest(
    project: Project, *, by: User | None, channel: str = "upload", dataset: str = importing.AUTO
) -> Ingest:
    """Begin a delivery of files into a project. Raises Invalid for a data set that nobody can read."""
    if dataset not in importing.names():
        raise Invalid("This data set cannot be read here.", known=importing.names())
    ingest = Ingest.objects.create(project=project, created_by=by, channel=channel, dataset=dataset)
    record(by, "ingest.created", target=ingest, channel=channel)
    return ingest


def receive_file(ingest: Ingest, name: str, chunks: Iterable[bytes], *, expected: int | None = None) -> IngestItem:
    """Take one file. It is on the disk, whole, when this returns.

    `expected` is its length where the sender said it. Raises IngestClosed, UploadTooLarge, UploadCut, DiskFull.
    """
    if ingest.state != IngestState.RECEIVING:
        raise IngestClosed()
    with store.received(incoming.folder_of(ingest.pk), chunks, expected) as (part, size):
        return add_item(ingest, part, name, size)


@transaction.atomic
def add_item(
    ingest: Ingest, file: Path, name: str, size: int, *, parent: IngestItem | None = None, member: int | None = None
) -> IngestItem:
    """Give a file that lies in the ingest's folder a number and an item. Raises IngestClosed.

    The file has its final name before the row is committed: after a crash in between the next file takes the number.
    """
    wanted = IngestState.RECEIVING if parent is None else IngestState.PARSING
    if not Ingest.objects.filter(pk=ingest.pk, state=wanted).update(received=F("received") + 1):
        raise IngestClosed()
    n = Ingest.objects.values_list("received", flat=True).get(pk=ingest.pk)
    incoming.keep_name(ingest.pk, n, name)
    file.rename(incoming.file_of(ingest.pk, n))
    store.sync_folder(incoming.folder_of(ingest.pk))
    return IngestItem.objects.create(ingest=ingest, n=n, bytes=size, parent=parent, member=member)


@transaction.atomic
def close_ingest(ingest: Ingest, *, by: User | None, dataset: str | None = None) -> Job:
    """Take no more files and start the job that parses them; a second call gives the same job."""
    locked = Ingest.objects.select_for_update().get(pk=ingest.pk)
    if locked.job is not None:
        return locked.job
    locked.state = moved(locked.state, IngestState.PARSING, INGEST_MOVES)
    if dataset is not None:
        if dataset not in importing.names():
            raise Invalid("This data set cannot be read here.", known=importing.names())
        locked.dataset = dataset
    locked.job = submit(
        "archive.ingest", {"ingest_id": str(locked.pk)}, actor=by, project=locked.project, key=f"ingest:{locked.pk}",
        title=f"Import of {counted(locked.received, 'file')}", link=f"/import/{locked.pk}",
    )  # fmt: skip
    locked.save(update_fields=["state", "dataset", "job"])
    record(by, "ingest.closed", target=locked, files=locked.received)
    ingest.refresh_from_db()
    return locked.job


def settle(item: IngestItem, to: ItemState, *, image: Image | None = None, error: MammoError | None = None) -> None:
    """Say how an item ended; a second saying changes nothing. Its file is for the caller to remove."""
    moved(ItemState.WAITING, to, ITEM_MOVES)
    said = {"code": error.code, "detail": error.detail} if error is not None else {}
    rows = IngestItem.objects.filter(pk=item.pk, state=ItemState.WAITING)
    rows.update(state=to, image=image, **said)
    item.refresh_from_db()


def use_item(item: IngestItem) -> None:
    """A table of labels, or another file that belongs to a data set, was read."""
    settle(item, ItemState.USED)


@transaction.atomic
def finish_ingest(ingest: Ingest, *, closing: Callable[[], object]) -> None:
    """Close an ingest whose items are all settled, together with what follows from it."""
    if Ingest.objects.filter(pk=ingest.pk, state=IngestState.PARSING).update(
        state=moved(IngestState.PARSING, IngestState.CLOSED, INGEST_MOVES), closed_at=now()
    ):
        closing()
    ingest.refresh_from_db()
