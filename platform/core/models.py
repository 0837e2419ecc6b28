"""Tables without a domain word: who made a row, the audit trail, keys of repeated requests."""

from typing import Any

from django.conf import settings
from django.db import models

from core.clock import now
from core.ids import uuid7


class Made(models.Model):
    """A row that a person or a job made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    class Meta:
        abstract = True


class AuditEvent(models.Model):
    """Who did what to which thing. Append-only: a trigger refuses update and delete."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=now)
    actor = models.CharField(max_length=64, help_text="id of the account, or the name of the part of the system")
    verb = models.CharField(max_length=64)
    target_kind = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    project_id = models.UUIDField(null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["project_id", "id"]), models.Index(fields=["target_kind", "target_id"])]


class AuditSeal(models.Model):
    """A block of audit events in id order, hash-chained to the block before."""

    number = models.PositiveIntegerField(primary_key=True)
    first_event = models.BigIntegerField()
    last_event = models.BigIntegerField(unique=True)
    events = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(default=now)


class IdempotencyKey(models.Model):
    """A POST that was answered, so that the same request again gets the same answer."""

    id = models.BigAutoField(primary_key=True)
    actor = models.CharField(max_length=64)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body: Any = models.JSONField(null=True)
    created_at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="one_answer_per_actor_and_key")]
