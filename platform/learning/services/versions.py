"""Model versions: promote, retire, roll back. One version per task ranks."""

from uuid import UUID

from django.db import transaction

from accounts.models import Role, User
from accounts.queries import require_role
from core.audit import record
from core.clock import now
from core.moves import moved
from jobs.models import Job
from jobs.services import submit
from learning.models import ModelVersion, Promotion

State = ModelVersion.State


def promote(version_id: UUID | str, *, by: User) -> tuple[ModelVersion, Job]:
    """Let a version rank; the one before it retires. Its scoring is submitted. Raises RoleMissing, MoveRefused.

    A retired version may be promoted again: that is the roll back.
    """
    with transaction.atomic():
        version = ModelVersion.objects.select_for_update().select_related("project").get(pk=version_id)
        require_role(by, version.project, Role.ADMIN)
        moved(version.state, State.PROMOTED, ModelVersion.MOVES)
        before = ModelVersion.objects.select_for_update().filter(
            project=version.project, task=version.task, state=State.PROMOTED
        )
        for other in before:
            _move(other, State.RETIRED, by=by)
        _move(version, State.PROMOTED, by=by)
        job = submit_scoring(version, by=by)
    return version, job


def retire(version_id: UUID | str, *, by: User) -> ModelVersion:
    """Take a version out of the ranking; a new order without it follows. Raises RoleMissing, MoveRefused."""
    with transaction.atomic():
        version = ModelVersion.objects.select_for_update().select_related("project").get(pk=version_id)
        require_role(by, version.project, Role.ADMIN)
        ranked = version.state == State.PROMOTED
        _move(version, State.RETIRED, by=by)
        if ranked:
            submit("learning.rank", {"project_id": str(version.project_id)}, actor=by, project=version.project,
                   title="Rank the unread exams")  # fmt: skip
    return version


def _move(version: ModelVersion, to: ModelVersion.State, *, by: User) -> None:
    was = version.state
    version.state = moved(was, to, ModelVersion.MOVES)
    version.promoted_at = now() if to == State.PROMOTED else version.promoted_at
    version.scoring_job_id = None
    version.save(update_fields=["state", "promoted_at", "scoring_job_id"])
    Promotion.objects.create(version=version, was=was, became=to, created_by=by)
    record(by, f"model.{to}", target=version, was=was)


def submit_scoring(version: ModelVersion, *, by: User | None) -> Job:
    """Submit the job that scores every unread training exam with a promoted version."""
    job = submit(
        "learning.score",
        {"version_id": str(version.pk)},
        actor=by,
        project=version.project,
        title=f"Score the unread exams with model {version.number}",
        link=f"/models/{version.pk}",
    )
    ModelVersion.objects.filter(pk=version.pk).update(scoring_job_id=job.pk)
    version.scoring_job_id = job.pk
    return job
