"""Which exam is in which project, and in which split: drawn once per patient and project."""

from collections.abc import Iterable, Mapping, Set
from uuid import UUID

from django.db import transaction

from accounts.models import Project
from archive.models import Admission, Exam, Split
from archive.rules import drawn_splits
from archive.signals import exam_changed, exams_admitted


@transaction.atomic
def admit(
    project: Project,
    exams: Iterable[Exam],
    *,
    splits: Mapping[str, str] | None = None,
    labelled: bool = False,
    tags: Mapping[str, Set[str]] | None = None,
) -> list[Admission]:
    """Put exams into a project; those that are in it stay as they are. The admissions that are new.

    `splits` is the official split and `tags` the labels of each patient, both by pseudonym; `labelled` says that the
    whole import carries labels, so that its new patients are stratified by them. A patient who is in the project
    keeps their split, whatever comes later.
    """
    # One admission at a time per project: two that draw at once could put a patient into two splits.
    locked = Project.objects.select_for_update().get(pk=project.pk)
    held = Admission.objects.filter(project=locked)
    known: dict[UUID, str] = dict(held.values_list("patient_id", "split"))
    there = set(held.values_list("exam_id", flat=True))
    wanted = [exam for exam in exams if exam.pk not in there]
    fresh = {exam.patient.pseudonym for exam in wanted if exam.patient_id not in known}
    drawn = drawn_splits(
        seed=locked.seed,
        patients=fresh,
        official=splits or {},
        tags=(tags or {}) if labelled else None,
        audit_share=locked.audit_share,
    )
    return Admission.objects.bulk_create(
        [
            Admission(
                project=locked,
                exam=exam,
                patient_id=exam.patient_id,
                split=Split(known.get(exam.patient_id) or drawn[exam.patient.pseudonym]),
            )
            for exam in wanted
        ]
    )


def announce(project_id: UUID, exam_ids: list[UUID], *, changed: Iterable[UUID] = ()) -> None:
    """Tell the floors above that exams can be read, and which of them have got another image."""
    if exam_ids:
        exams_admitted.send(Admission, project_id=project_id, exam_ids=exam_ids)
    for exam_id in changed:
        exam_changed.send(Exam, exam_id=exam_id)
