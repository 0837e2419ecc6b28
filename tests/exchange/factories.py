"""Exams with complete readings, made by the doors that people use."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from accounts.models import Project, User
from annotations import services as annotations
from annotations.lexicon import empty_document
from annotations.models import Reading
from archive.models import Admission, Exam, Image, Patient
from core.ids import uuid7

SIZE = 1024
Circles = Sequence[tuple[float, float, float]]


def an_exam(project: Project, name: str, *, split: str = "train", source: str = "dataset:mini-mias") -> Exam:
    """An exam of one left MLO film, admitted to a project and on its worklist."""
    patient = Patient.objects.create(pseudonym=f"mini-mias:{name}-{uuid4().hex[:8]}")
    exam = Exam.objects.create(patient=patient, study_uid=f"2.25.{uuid4().int}", label=name, source=source)
    Image.objects.create(
        exam=exam,
        sop_uid=f"2.25.{uuid4().int}",
        laterality="L",
        view="MLO",
        rows=SIZE,
        cols=SIZE,
        spacing_row_mm=0.2,
        spacing_col_mm=0.2,
        spacing_source="dataset",
        bits_stored=8,
        photometric="MONOCHROME2",
        presentation="film",
        sha256=uuid4().hex * 2,
        source_name=f"{name}.pgm" if source else "",
    )
    Admission.objects.create(project=project, exam=exam, patient=patient, split=split)
    annotations.add_exams(project_id=project.pk, exam_ids=[exam.pk])
    return exam


def a_document(exam: Exam, *, density: str | None, findings: Sequence[tuple[str, Circles]] = ()) -> dict[str, Any]:
    """What a reader says of an exam: its density, and findings as (type, circles in its one image)."""
    document = empty_document()
    image = exam.images.get()
    for side in document["breasts"]:
        document["breasts"][side] = {"density": density, "birads": "4" if findings else "1"}
    for order, (kind, circles) in enumerate(findings, start=1):
        marks = {
            str(uuid7()): {
                "image_id": str(image.pk), "frame": 1, "kind": "circle", "geometry": list(circle), "provenance": "human"
            }
            for circle in circles
        }  # fmt: skip
        finding = {"type": kind, "birads": "4", "laterality": "L", "order": order, "marks": marks}
        document["findings"][str(uuid7())] = finding
    return document


def read(
    project: Project,
    reader: User,
    name: str,
    *,
    split: str = "train",
    density: str | None = "b",
    findings: Sequence[tuple[str, Circles]] = (),
    source: str = "dataset:mini-mias",
) -> Reading:
    """A new exam that a reader has read and completed."""
    exam = an_exam(project, name, split=split, source=source)
    return answer(project, reader, a_document(exam, density=density, findings=findings))


def answer(project: Project, reader: User, document: dict[str, Any]) -> Reading:
    """Lease the next exam, say this of it, complete."""
    reading = annotations.lease_next(project, reader=reader)
    assert reading is not None
    patch = [{"op": "replace", "path": f"/{part}", "value": document[part]} for part in ("breasts", "findings")]
    edit = annotations.apply_edit(reading.pk, by=reader, revision=reading.revision, edit_id=uuid7(), patch=patch)
    return annotations.complete_reading(reading.pk, by=reader, revision=edit.revision)
