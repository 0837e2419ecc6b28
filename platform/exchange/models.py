"""Frozen labels and the files made of them. A frozen snapshot is guarded by triggers (migration 0002)."""

from django.db import models

from accounts.models import Project
from core.clock import now
from core.models import Made


class Snapshot(Made):
    """A frozen, hashed list of labels: what was known at one moment, for ever."""

    class State(models.TextChoices):
        BUILDING = "building"
        FROZEN = "frozen"

    MOVES = {State.BUILDING: frozenset({State.FROZEN}), State.FROZEN: frozenset()}

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.BUILDING)
    policy = models.JSONField(help_text="which readings count: {references: bool}")
    note = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    sources = models.JSONField(default=list)
    sha256 = models.CharField(max_length=64, blank=True)
    frozen_at = models.DateTimeField(null=True)
    # No foreign key: a job may be swept away, and a frozen row may not be touched then.
    job_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["project_id", "number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="one_snapshot_per_number")]

    def __str__(self) -> str:
        return f"v{self.number}"


class SnapshotItem(models.Model):
    """One exam in a snapshot: its own canonical JSON copy, as text, so that every engine keeps the same bytes."""

    id = models.BigAutoField(primary_key=True)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="from 0, in exam order")
    exam_id = models.UUIDField()
    reading_id = models.UUIDField()
    revision = models.PositiveIntegerField()
    split = models.CharField(max_length=8)
    body = models.TextField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["snapshot_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "position"], name="one_item_per_position"),
            models.UniqueConstraint(fields=["snapshot", "exam_id"], name="one_item_per_exam"),
        ]


class Export(Made):
    """A snapshot in a format that others read. The same snapshot, format and options give the same bytes."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"

    MOVES = {State.WAITING: frozenset({State.DONE}), State.DONE: frozenset({State.WAITING})}

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=16)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    sha256 = models.CharField(max_length=64, blank=True)
    bytes = models.PositiveBigIntegerField(null=True)
    finished_at = models.DateTimeField(null=True)
    job_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["snapshot", "format"], name="one_export_per_format")]


class Removal(models.Model):
    """The permit to delete a project's frozen snapshots: only the removal of the whole project writes one."""

    project_id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(default=now)
