"""What this floor does when a lower one speaks."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models.signals import post_delete, pre_delete

from accounts.models import Project
from annotations import services
from annotations.models import Removal
from archive.signals import exam_changed, exams_admitted


def put_on_worklist(sender: Any, *, project_id: UUID, exam_ids: Iterable[UUID], **kwargs: Any) -> None:
    services.add_exams(project_id=project_id, exam_ids=exam_ids)


def flag_readings(sender: Any, *, exam_id: UUID, **kwargs: Any) -> None:
    services.flag_changed_exam(exam_id)


def permit_removal(sender: type[Project], instance: Project, **kwargs: Any) -> None:
    """A project goes as a whole: its journals may go with it. Runs inside the transaction that deletes."""
    Removal.objects.get_or_create(project_id=instance.pk)


def end_removal(sender: type[Project], instance: Project, **kwargs: Any) -> None:
    Removal.objects.filter(project_id=instance.pk).delete()


def connect() -> None:
    """Listen; a second call changes nothing."""
    exams_admitted.connect(put_on_worklist, dispatch_uid="annotations.put_on_worklist")
    exam_changed.connect(flag_readings, dispatch_uid="annotations.flag_readings")
    pre_delete.connect(permit_removal, sender=Project, dispatch_uid="annotations.permit_removal")
    post_delete.connect(end_removal, sender=Project, dispatch_uid="annotations.end_removal")
