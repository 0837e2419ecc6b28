"""Who sees which jobs, and how long one still takes."""

from datetime import timedelta

from django.db.models import Count, Q, QuerySet

from accounts.models import Membership, Role, User
from accounts.queries import role_of
from core.clock import now
from core.errors import is_settled
from jobs.models import Job, JobState


def visible_to(user: User) -> QuerySet[Job]:
    """All jobs for a site administrator; else those of the projects one is a member of, and one's own."""
    rows = Job.objects.select_related("created_by")
    if user.is_site_admin:
        return rows
    mine = Membership.objects.filter(user=user).values("project_id")
    return rows.filter(Q(project_id__in=mine) | Q(created_by=user))


def may_steer(user: User, job: Job) -> bool:
    """Whether an account may cancel and retry a job: its own, or one of a project that it administers."""
    if user.is_site_admin or job.created_by_id == user.pk:
        return True
    return job.project_id is not None and role_of(user, job.project_id) == Role.ADMIN


def may_retry(job: Job) -> bool:
    """Whether a job that was not done may be queued again, and come to another end."""
    return job.state == JobState.CANCELLED or (job.state == JobState.FAILED and not _has_settled(job))


def _has_settled(job: Job) -> bool:
    return is_settled((job.error or {}).get("code"))


def jobs_by_state() -> dict[str, int]:
    counted = Job.objects.values_list("state").annotate(Count("pk")).order_by()
    return dict.fromkeys(JobState.values, 0) | dict(counted)


def eta_seconds(job: Job) -> float | None:
    """Seconds left, if it goes on as fast as so far; None while that cannot be told."""
    if job.state != JobState.RUNNING or not job.total or not job.done or job.started_at is None:
        return None
    spent: timedelta = now() - job.started_at
    return max(0.0, spent.total_seconds() * (job.total - job.done) / job.done)
