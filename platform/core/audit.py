"""The audit trail: append-only events, sealed each minute into hash-chained blocks.

An edit of a sealed event, by whatever door, breaks the chain from its block on. Events later than the last seal are
the unsealed tail, which `verify` reports: they are protected by the trigger alone.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from django.db import transaction
from django.db.models import Model

from core.clock import now
from core.models import AuditEvent, AuditSeal

BLOCK_EVENTS = 10_000
#: An event younger than this waits: a transaction that began earlier may still bring one with a smaller id.
SETTLE = timedelta(seconds=30)


def record(actor: Any, verb: str, *, target: Model | None = None, project_id: Any = None, **detail: Any) -> AuditEvent:
    """Write one event, in the caller's transaction. `actor` is an account, or the name of a part of the system."""
    if project_id is None and target is not None:
        project_id = getattr(target, "project_id", None)
    return AuditEvent.objects.create(
        actor=str(getattr(actor, "pk", None) or actor or "system"),
        verb=verb,
        target_kind=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        project_id=project_id,
        detail=detail,
    )


def _digest(before: str, events: Iterable[AuditEvent]) -> str:
    digest = hashlib.sha256(before.encode())
    for event in events:
        row = [
            event.id, event.at.isoformat(), event.actor, event.verb, event.target_kind, event.target_id,
            str(event.project_id), event.detail,
        ]  # fmt: skip
        digest.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()


@transaction.atomic
def seal() -> AuditSeal | None:
    """Seal the settled events that came since the last seal; None when there are none."""
    last = AuditSeal.objects.order_by("-number").first()
    waiting = AuditEvent.objects.order_by("id")
    if last:
        waiting = waiting.filter(id__gt=last.last_event)
    settled = now() - SETTLE
    events = list(takewhile(lambda event: event.at < settled, waiting[:BLOCK_EVENTS]))
    if not events:
        return None
    return AuditSeal.objects.create(
        number=last.number + 1 if last else 1,
        first_event=events[0].id,
        last_event=events[-1].id,
        events=len(events),
        sha256=_digest(last.sha256 if last else "", events),
    )


@dataclass(frozen=True)
class Verdict:
    """What a check of the chain found."""

    blocks: int
    events: int
    broken_at: int | None
    unsealed: int


def verify() -> Verdict:
    """Walk the chain from the first block; `broken_at` is the first block that does not fit its events."""
    before, blocks, events, last = "", 0, 0, None
    for block in AuditSeal.objects.order_by("number"):
        found = list(AuditEvent.objects.filter(id__gte=block.first_event, id__lte=block.last_event).order_by("id"))
        if len(found) != block.events or _digest(before, found) != block.sha256:
            return Verdict(blocks, events, block.number, 0)
        before, blocks, events, last = block.sha256, blocks + 1, events + len(found), block.last_event
    tail = AuditEvent.objects.filter(id__gt=last) if last else AuditEvent.objects.all()
    return Verdict(blocks, events, None, tail.count())
