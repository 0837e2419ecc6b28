"""What every importer does alike: wrap, hand to the archive's one door, admit, keep the labels as references."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pydicom.dataset import Dataset

from annotations.models import Purpose, Reading
from annotations.services import store_reference_reading
from archive.models import Exam, Image, Ingest, IngestItem, ItemState
from archive.queries import items_by_name
from archive.services import Origin, accept_dataset, admit, settle, use_item
from core.errors import MammoError
from exchange.errors import FilmUnreadable, NotListed
from exchange.importers.documents import merged
from jobs.handlers import JobContext

#: Of an exam: its images as (file name, our image). Answers with the reading's document, or None.
DocumentOf = Callable[[Exam, Sequence[tuple[str, Image]]], dict[str, Any] | None]
#: Pictures that a data set does not name are rejected; other files beside the images are its tables and licences.
_PICTURES = frozenset({".pgm", ".png", ".dcm", ".tif", ".tiff", ".jpg", ".jpeg"})


@dataclass(frozen=True)
class Arrival:
    """One image file of a data set. `wrap` makes DICOM of it; None where it is DICOM already."""

    path: Path
    patient: str
    number: int | None = None
    wrap: Callable[[], Dataset] | None = None
    tags: frozenset[str] = frozenset()


def take_in(
    ctx: JobContext,
    ingest: Ingest,
    folder: Path,
    arrivals: Sequence[Arrival],
    *,
    dataset: str,
    document_of: DocumentOf,
    splits: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Take in a data set's images and labels; every item of the ingest ends settled.

    `splits` is the official split by patient. May run again after a crash: what is settled stays, the rest follows.
    """
    items = items_by_name(ingest)
    taken = list(_accepted(ctx, ingest, folder, arrivals, items, dataset))
    _settle_the_rest(items)
    exams = {image.exam_id: image.exam for _, image in taken}
    tags: dict[str, set[str]] = {}
    for arrival, _ in taken:
        tags.setdefault(arrival.patient, set()).update(arrival.tags)
    admit(ingest.project, exams.values(), splits=splits, labelled=True, tags=tags)
    readings = _keep_labels(ctx, ingest, taken, exams, f"dataset:{dataset}", document_of)
    return {"dataset": dataset, "exams": len(exams), "images": len(taken), "reference_readings": readings}


def _accepted(
    ctx: JobContext,
    ingest: Ingest,
    folder: Path,
    arrivals: Sequence[Arrival],
    items: dict[str, IngestItem],
    dataset: str,
) -> Iterator[tuple[Arrival, Image]]:
    for done, arrival in enumerate(arrivals):
        ctx.check_cancelled()
        ctx.progress(done, len(arrivals), f"{done} of {len(arrivals)} images")
        item = items.pop(arrival.path.relative_to(folder).as_posix(), None)
        if item is None:  # two files of one name: the first was taken
            continue
        origin = Origin(dataset=dataset, patient=arrival.patient, number=arrival.number, name=arrival.path.name)
        image = _accept(arrival, ingest, item, origin)
        if image is not None:
            yield arrival, image


def _accept(arrival: Arrival, ingest: Ingest, item: IngestItem, origin: Origin) -> Image | None:
    """One image through the archive's door; what cannot even be wrapped is rejected here."""
    if item.state != ItemState.WAITING:
        return item.image
    try:
        source: Path | Dataset = arrival.wrap() if arrival.wrap else arrival.path
    except (OSError, ValueError) as error:
        settle(item, ItemState.REJECTED, error=FilmUnreadable(kind=type(error).__name__))
        return None
    return accept_dataset(source, ingest=ingest, item=item, origin=origin)


def _settle_the_rest(items: Mapping[str, IngestItem]) -> None:
    for name, item in items.items():
        if item.state != ItemState.WAITING:
            continue
        if Path(name).suffix.lower() in _PICTURES:
            settle(item, ItemState.REJECTED, error=NotListed())
        else:
            use_item(item)


def _keep_labels(
    ctx: JobContext,
    ingest: Ingest,
    taken: Iterable[tuple[Arrival, Image]],
    exams: Mapping[UUID, Exam],
    source: str,
    document_of: DocumentOf,
) -> int:
    """Store each exam's labels; an exam whose labels cannot be stored is named in the log and stops no other."""
    by_exam: dict[UUID, list[tuple[str, Image]]] = {}
    for arrival, image in taken:
        by_exam.setdefault(image.exam_id, []).append((arrival.path.name, image))
    stored = 0
    for exam_id, images in by_exam.items():
        document = document_of(exams[exam_id], images)
        if document is None:
            continue
        with _told(ctx, exams[exam_id]):
            whole = merged(_known(ingest, exam_id, source), document, {image.laterality for _, image in images})
            store_reference_reading(project=ingest.project, exam=exams[exam_id], source=source, document=whole)
            stored += 1
    return stored


def _known(ingest: Ingest, exam_id: UUID, source: str) -> dict[str, Any] | None:
    rows = Reading.objects.filter(project=ingest.project, exam_id=exam_id, purpose=Purpose.REFERENCE, source=source)
    return rows.values_list("completed_document", flat=True).first()


@contextlib.contextmanager
def _told(ctx: JobContext, exam: Exam) -> Iterator[None]:
    try:
        yield
    except MammoError as error:
        ctx.log(f"labels of exam {exam.label} were not stored: {error.code} {error.detail}")
