"""What this floor does when a lower one speaks."""

from typing import Any
from uuid import UUID

from jobs.models import Job, JobState
from jobs.signals import job_ended
from learning.services.scores import scoring_gone


def forget_scoring(sender: type[Job], job_id: UUID, state: JobState, **kwargs: Any) -> None:
    """A scoring that failed or was cancelled must not hold up the ranking for ever."""
    if state in (JobState.FAILED, JobState.CANCELLED):
        scoring_gone(job_id)


def connect() -> None:
    """Listen; a second call changes nothing."""
    job_ended.connect(forget_scoring, sender=Job, dispatch_uid="learning.forget_scoring")
