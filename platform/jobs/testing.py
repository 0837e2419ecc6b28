"""For tests and commands: run what is queued here and now, through the same path as a worker."""

from uuid import UUID

from core.clock import now
from jobs.execution import run_job
from jobs.models import Job, JobState

MOST = 1000


def run_queued() -> list[Job]:
    """Run all queued jobs, oldest first, with those that they submit, until none is left; the jobs as they ended.

    A job that failed and waits for another try waits for another call, however long this one takes.
    """
    ran: list[UUID] = []
    waiting: set[UUID] = set()
    for _ in range(MOST):
        due = Job.objects.filter(state=JobState.QUEUED, not_before__lte=now())
        job = due.exclude(pk__in=waiting).order_by("id").first()
        if job is None:
            return [Job.objects.get(pk=pk) for pk in ran]
        run_job(job.pk)
        if job.pk not in ran:
            ran.append(job.pk)
        job.refresh_from_db()
        if job.state == JobState.QUEUED and job.error:
            waiting.add(job.pk)
    raise AssertionError(f"more than {MOST} jobs: one submits itself again and again")
