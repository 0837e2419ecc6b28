"""All writes of jobs. Every change of state is one UPDATE filtered on the state before it: the loser leaves quietly."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import Project, User
from core.audit import record
from core.clock import now
from core.errors import MammoError, MoveRefused
from core.ids import uuid7
from jobs.errors import NotRunning, RetryRefused, WorkerLost
from jobs.kinds import KINDS
from jobs.models import Job, JobAttempt, JobState
from jobs.queries import may_retry
from jobs.signals import job_ended

log = logging.getLogger("mammoloop.jobs")

LEASE = timedelta(seconds=60)
REDELIVER_AFTER = timedelta(seconds=120)
BACKOFF_SECONDS = (5, 30, 120)

#: Puts a message for a job into its queue. `mammoloop` sets it, so that this floor's services know no broker.
deliver: Callable[[Job], None] | None = None


def submit(
    kind: str,
    params: dict[str, Any],
    *,
    actor: User | None,
    project: Project | None = None,
    key: str | None = None,
    title: str = "",
    link: str = "",
) -> Job:
    """Make a job and wake a worker when the transaction commits; the same key gives the same job."""
    queue = KINDS[kind].queue
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=kind,
                queue=queue,
                params=params,
                created_by=actor,
                project=project,
                key=key,
                title=title,
                link=link,
            )
    except IntegrityError:
        if key is None:
            raise
        return Job.objects.get(key=key)
    transaction.on_commit(lambda: wake(job))
    return job


def wake(job: Job) -> None:
    """Hand the job to the broker; when that fails the sweeper tries again."""
    if deliver is None:
        return
    try:
        deliver(job)
    except Exception as error:  # noqa: BLE001 - whatever the broker's driver raises: the row is there, beat delivers it
        log.warning("broker took no message", extra={"job": str(job.pk), "reason": type(error).__name__})
        return
    Job.objects.filter(pk=job.pk).update(delivered_at=now())


def take(job_id: UUID, *, worker: str) -> tuple[Job, UUID] | None:
    """Take a queued job for a worker: the row and its fresh lease token, or None where somebody else has it."""
    token = uuid7()
    with transaction.atomic():
        ready = Job.objects.filter(pk=job_id, state=JobState.QUEUED, not_before__lte=now())
        taken = ready.update(
            state=JobState.RUNNING, lease_token=token, lease_until=now() + LEASE, started_at=now(), finished_at=None,
            error=None,
        )  # fmt: skip
        if not taken:
            return None
        job = Job.objects.get(pk=job_id)
        job.attempts += 1
        job.save(update_fields=["attempts"])
        JobAttempt.objects.create(job=job, number=job.attempts, token=token, worker=worker)
    return job, token


def extend_lease(job_id: UUID, *, token: UUID, **fields: Any) -> bool:
    """Renew the lease, with what changed; False where the job is no longer this worker's."""
    rows = Job.objects.filter(pk=job_id, lease_token=token, state=JobState.RUNNING)
    return bool(rows.update(lease_until=now() + LEASE, **fields))


def _end(job_id: UUID, *, token: UUID, state: JobState, outcome: str, **fields: Any) -> bool:
    """Leave `running` by the worker that holds the token."""
    ended = None if state == JobState.QUEUED else now()
    with transaction.atomic():
        rows = Job.objects.filter(pk=job_id, lease_token=token, state=JobState.RUNNING)
        if not rows.update(state=state, lease_token=None, lease_until=None, finished_at=ended, **fields):
            return False
        JobAttempt.objects.filter(token=token).update(ended_at=now(), outcome=outcome)
        if ended is not None:
            job_ended.send(Job, job_id=job_id, state=state)
    return True


# While a job runs, its message says what it is doing. When it has ended, the message says what was done.
def finish(job_id: UUID, *, token: UUID, result: dict[str, Any] | None, message: str = "") -> bool:
    job = Job.objects.get(pk=job_id)
    done = job.total or job.done
    return _end(job_id, token=token, state=JobState.DONE, outcome="done", result=result, done=done, message=message)


def end_cancelled(job_id: UUID, *, token: UUID) -> bool:
    job = Job.objects.get(pk=job_id)
    message = f"Cancelled at {job.done:,} of {job.total:,}." if job.total else "Cancelled."
    return _end(job_id, token=token, state=JobState.CANCELLED, outcome="cancelled", message=message)


def give_back(job_id: UUID, *, token: UUID) -> bool:
    """Put a job back at a stop of its worker; the attempt does not count, and nobody was told to take it yet."""
    attempts = Job.objects.values_list("attempts", flat=True).get(pk=job_id)
    return _end(
        job_id,
        token=token,
        state=JobState.QUEUED,
        outcome="given back",
        attempts=max(0, attempts - 1),
        delivered_at=None,
        message="",
    )


def fail(job_id: UUID, *, token: UUID, error: MammoError, log_tail: str) -> bool:
    """End in failure, or wait for another try where the error is transient and attempts are left."""
    job = Job.objects.get(pk=job_id)
    body = error_body(error)
    if error.transient and job.attempts < KINDS[job.kind].max_attempts:
        wait = timedelta(seconds=BACKOFF_SECONDS[min(job.attempts, len(BACKOFF_SECONDS)) - 1])
        return _end(
            job_id, token=token, state=JobState.QUEUED, outcome=error.code, error=body, not_before=now() + wait,
            delivered_at=None, log_tail=log_tail, message=_short(error),
        )  # fmt: skip
    return _end(
        job_id, token=token, state=JobState.FAILED, outcome=error.code, error=body, log_tail=log_tail,
        message=_short(error),
    )  # fmt: skip


def _short(error: MammoError) -> str:
    return error.sentence[:200]


def error_body(error: MammoError) -> dict[str, Any]:
    return {"code": error.code, "sentence": error.sentence, "cure": error.cure, "detail": error.detail}


@transaction.atomic
def request_cancel(job: Job, *, by: User) -> Job:
    """Cancel: at once while it waits; while it runs its worker is told. Raises NotRunning."""
    at = now()
    waiting = Job.objects.filter(pk=job.pk, state=JobState.QUEUED)
    stopped = "Cancelled before it began."
    if waiting.update(state=JobState.CANCELLED, cancel_requested_at=at, finished_at=at, message=stopped):
        job_ended.send(Job, job_id=job.pk, state=JobState.CANCELLED)
    elif not Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(cancel_requested_at=at):
        raise NotRunning()
    record(by, "job.cancelled", target=job)
    job.refresh_from_db()
    return job


@transaction.atomic
def retry(job: Job, *, by: User) -> Job:
    """Put a failed or cancelled job into its queue again. Raises RetryRefused, MoveRefused."""
    if job.state == JobState.FAILED and not may_retry(job):
        raise RetryRefused(error=job.error)
    rows = Job.objects.filter(pk=job.pk, state__in=[JobState.FAILED, JobState.CANCELLED])
    fresh = {"attempts": 0, "cancel_requested_at": None, "error": None, "finished_at": None, "not_before": now()}
    if not rows.update(state=JobState.QUEUED, delivered_at=None, message="", **fresh):
        raise MoveRefused(now=job.state, to=str(JobState.QUEUED))
    record(by, "job.retried", target=job)
    job.refresh_from_db()
    transaction.on_commit(lambda: wake(job))
    return job


def sweep() -> dict[str, int]:
    """Requeue what lost its worker, deliver what was never delivered. Beat calls it; it may run anywhere, any time."""
    lost = [_lost(job) for job in Job.objects.filter(state=JobState.RUNNING, lease_until__lt=now())]
    waiting = Job.objects.filter(state=JobState.QUEUED, not_before__lte=now())
    due = [*waiting.filter(delivered_at=None), *waiting.filter(delivered_at__lt=now() - REDELIVER_AFTER)]
    for job in due:
        wake(job)
    return {"lost": sum(lost), "delivered": len(due)}


def _lost(job: Job) -> bool:
    assert job.lease_token is not None
    if job.cancel_requested_at is not None:
        return end_cancelled(job.pk, token=job.lease_token)
    if job.attempts >= KINDS[job.kind].max_attempts:
        error = WorkerLost()
        return _end(
            job.pk, token=job.lease_token, state=JobState.FAILED, outcome=error.code, error=error_body(error),
            message=_short(error),
        )  # fmt: skip
    return _end(job.pk, token=job.lease_token, state=JobState.QUEUED, outcome="lost", delivered_at=None, message="")
