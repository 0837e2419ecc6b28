"""Answers kept by Idempotency-Key for 48 hours."""

import json
from datetime import timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction

from core.clock import now
from core.errors import Conflict, IdempotencyKeyReused
from core.models import IdempotencyKey

KEPT_HOURS = 48


class StillAnswering(Conflict):
    """The first request with this Idempotency-Key has not been answered yet."""

    code = "core.still_answering"
    cure = "Wait a moment and send the same request again."
    transient = True


def take(*, actor: str, key: str, request_sha256: str) -> IdempotencyKey:
    """The row of this key: fresh (status None) or answered. Raises IdempotencyKeyReused, StillAnswering."""
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(actor=actor, key=key[:200], request_sha256=request_sha256)
    except IntegrityError:
        row = IdempotencyKey.objects.get(actor=actor, key=key[:200])
    if row.request_sha256 != request_sha256:
        raise IdempotencyKeyReused()
    if row.status is None:
        raise StillAnswering()
    return row


def keep(row: IdempotencyKey, *, status: int, body: Any) -> None:
    """Keep an answer; one that says "try again" (5xx, 429) is forgotten instead."""
    if status >= 500 or status == 429:
        row.delete()
        return
    row.status, row.body = status, json.loads(json.dumps(body, cls=DjangoJSONEncoder))
    row.save(update_fields=["status", "body"])


def forget_old() -> int:
    """Drop the answers that are older than 48 h; how many."""
    return IdempotencyKey.objects.filter(created_at__lt=now() - timedelta(hours=KEPT_HOURS)).delete()[0]
