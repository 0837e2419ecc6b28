"""For tests and commands: run what is queued here and now, through the same path as a worker."""

from uuid import UUID

from core.clock import now
from jobs.execution import run_job
from jobs.models import Job, JobState

MOST = 1000


def run_queued() -> list[Job]:
    """Run all queued jobs, oldest first, with those that they submit, until none is left; the jobs as they ended."""
    ran: list[UUID] = []
    for _ in range(MOST):
        job = Job.objects.filter(state=JobState.QUEUED, not_before__lte=now()).order_by("id").first()
        if job is None:
            return [Job.objects.get(pk=pk) for pk in ran]
        run_job(job.pk)
        if job.pk not in ran:
            ran.append(job.pk)
    raise AssertionError(f"more than {MOST} jobs: one submits itself again and again")
