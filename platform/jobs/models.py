"""Background work. The table is the truth; the broker only wakes workers, and may do so twice, late or never."""

from django.db import models

from accounts.models import Project
from core.clock import now
from core.models import Made


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: running → queued: its worker was lost and attempts are left, or it was given back at a stop (attempt not counted).
#: failed, cancelled → queued: retry.
JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}


class Job(Made):
    """Anything that takes longer than 200 ms."""

    kind = models.CharField(max_length=64)
    queue = models.CharField(max_length=8)
    title = models.CharField(max_length=200, blank=True)
    link = models.CharField(max_length=200, blank=True, help_text="the page of what this job makes")
    key = models.CharField(max_length=200, null=True, unique=True, help_text="the same key is the same job")
    params = models.JSONField(default=dict)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="jobs")
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)

    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True)
    message = models.CharField(max_length=200, blank=True)
    log_tail = models.TextField(blank=True)
    error = models.JSONField(null=True, help_text="code, sentence, cure, detail")
    result = models.JSONField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    attempts = models.PositiveSmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True, help_text="fences off a worker that comes back late")
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(default=now)
    delivered_at = models.DateTimeField(null=True, help_text="when the broker last took a message of it")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "lease_until"]),
            models.Index(fields=["project", "-id"]),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state=JobState.RUNNING) | models.Q(lease_token__isnull=False),
                name="a_running_job_has_a_worker",
            ),
        ]


class JobAttempt(models.Model):
    """One time that a worker took the job."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempt_rows")
    number = models.PositiveSmallIntegerField()
    token = models.UUIDField(unique=True)
    worker = models.CharField(max_length=120)
    started_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ["id"]
