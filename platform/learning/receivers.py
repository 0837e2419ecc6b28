"""What this floor does when a lower one speaks."""

import shutil
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.signals import post_delete

from jobs.models import Job, JobState
from jobs.signals import job_ended
from learning.models import Run, WeightsFile
from learning.queries import run_folder, weights_path
from learning.services.scores import scoring_gone


def forget_scoring(sender: type[Job], job_id: UUID, state: JobState, **kwargs: Any) -> None:
    """A scoring that failed or was cancelled must not hold up the ranking for ever."""
    if state in (JobState.FAILED, JobState.CANCELLED):
        scoring_gone(job_id)


def remove_folder(sender: type[Run], instance: Run, **kwargs: Any) -> None:
    """A run went with its project: its folder goes when that is certain."""
    folder = run_folder(instance.pk)
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def remove_weights_file(sender: type[WeightsFile], instance: WeightsFile, **kwargs: Any) -> None:
    """Weights were forgotten, or went with their project."""
    path = weights_path(instance)
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def connect() -> None:
    """Listen; a second call changes nothing."""
    post_delete.connect(remove_folder, sender=Run, dispatch_uid="learning.remove_folder")
    post_delete.connect(remove_weights_file, sender=WeightsFile, dispatch_uid="learning.remove_weights_file")
    job_ended.connect(forget_scoring, sender=Job, dispatch_uid="learning.forget_scoring")
