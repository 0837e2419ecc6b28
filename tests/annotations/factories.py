"""The smallest valid things that readings are made of."""

from typing import Any
from uuid import UUID, uuid4

from accounts.models import Project, User
from annotations import services
from annotations.models import Reading, ReadingEdit
from archive.models import Admission, Exam, Image, Patient
from core.ids import uuid7

ROWS, COLS = 1000, 800


def an_exam(project: Project, *, split: str = "train", images: str = "R-CC L-CC", served: bool = True) -> Exam:
    """An exam of a new patient, admitted to a project and on its worklist; views as `R-CC L-MLO`."""
    patient = Patient.objects.create(pseudonym=f"p-{uuid4().hex}")
    exam = Exam.objects.create(patient=patient, study_uid=f"2.25.{uuid4().int}", label=f"L-{uuid4().hex[:6]}")
    for name in images.split():
        laterality, view = name.split("-")
        an_image(exam, laterality=laterality, view=view)
    Admission.objects.create(project=project, exam=exam, patient=patient, split=split)
    if served:
        services.add_exams(project_id=project.pk, exam_ids=[exam.pk])
    return exam


def an_image(exam: Exam, *, laterality: str, view: str) -> Image:
    return Image.objects.create(
        exam=exam, sop_uid=f"2.25.{uuid4().int}", laterality=laterality, view=view, rows=ROWS, cols=COLS
    )


def a_finding(image: Image | None = None, **said: Any) -> dict[str, Any]:
    """A mass, with one box in an image if one is given."""
    marks = {} if image is None else {str(uuid7()): a_mark(image)}
    laterality = image.laterality if image else None
    return {"type": "mass", "birads": "4", "laterality": laterality, "order": 1, "marks": marks, **said}


def a_mark(image: Image, **said: Any) -> dict[str, Any]:
    box = {"kind": "box", "geometry": [10.25, 20.5, 110.125, 220.0], "provenance": "human"}
    return {"image_id": str(image.pk), "frame": 1, **box, **said}


def replace(path: str, value: Any) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": path, "value": value}]


def add(path: str, value: Any) -> list[dict[str, Any]]:
    return [{"op": "add", "path": path, "value": value}]


DENSITY_C = replace("/breasts/R/density", "c")


def edited(reading: Reading, patch: list[dict[str, Any]] | None = None, *, edit_id: UUID | None = None) -> ReadingEdit:
    """Edit a reading as its reader, at the revision that the given object has; the object is loaded again."""
    assert reading.reader is not None
    edit = services.apply_edit(
        reading.pk, by=reading.reader, revision=reading.revision, edit_id=edit_id or uuid7(), patch=patch or DENSITY_C
    )
    reading.refresh_from_db()
    return edit


def completed(reading: Reading) -> Reading:
    """Answer and complete a reading."""
    assert reading.reader is not None
    if reading.revision == 0:
        edited(reading)
    return services.complete_reading(reading.pk, by=reading.reader, revision=reading.revision)


def leased(project: Project, reader: User) -> Reading:
    """The next reading of a reader; there must be one."""
    reading = services.lease_next(project, reader=reader)
    assert reading is not None
    return reading
