"""The right to read an exam: taken by one counted row, kept by a lease, given back when it ends.

No second reader is kept away by a check in code: `take` is one conditional UPDATE, and the database counts.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import User
from annotations import journal, orders
from annotations.errors import LeaseLost, ReadingClosed
from annotations.models import HELD_STATES, READING_MOVES, Purpose, Reading, ReadingState, WorkItem
from core.clock import now
from core.moves import moved

#: How many leases that ran out one request frees; the next request goes on.
FREED_AT_ONCE = 100


def lease_end(at: datetime) -> datetime:
    """When a lease that is taken or renewed at a time ends."""
    return at + timedelta(minutes=settings.LEASE_MINUTES)


def take(*, project_id: UUID, exam_id: UUID) -> bool:
    """Count one more holder of an exam, if it wants one: true for as many callers as it wants, whatever the race."""
    wanting = WorkItem.objects.filter(project_id=project_id, exam_id=exam_id, wanted__gt=F("held") + F("done"))
    return wanting.update(held=F("held") + 1) == 1


def _count(reading: Reading, *, held: int, done: int) -> None:
    if reading.purpose == Purpose.PRIMARY:
        item = WorkItem.objects.filter(project_id=reading.project_id, exam_id=reading.exam_id)
        item.update(held=F("held") + held, done=F("done") + done)


def hold(reading: Reading, *, at: datetime) -> None:
    """Keep a reading with its reader; a released one is taken again. The caller has the row locked and saves it.

    A lease that ran out but was not freed yet is simply renewed: nobody else was given the exam.
    Raises ReadingClosed, LeaseLost.
    """
    if reading.state == ReadingState.COMPLETE:
        raise ReadingClosed()
    if reading.state == ReadingState.RELEASED:
        if not take(project_id=reading.project_id, exam_id=reading.exam_id):
            raise LeaseLost(revision=reading.revision)
        reading.state = moved(reading.state, ReadingState.LEASED, READING_MOVES)
        reading.skipped_at, reading.skip_reason = None, ""
    reading.lease_until = lease_end(at)


def release(reading: Reading) -> None:
    """Give an exam back with the work kept. The caller has the row locked and saves it. Raises MoveRefused."""
    _release(reading)
    orders.lower_head(reading.project_id, exam_ids=[reading.exam_id])


def _release(reading: Reading) -> None:
    reading.state = moved(reading.state, ReadingState.RELEASED, READING_MOVES)
    reading.lease_until = None
    _count(reading, held=-1, done=0)


def count_completed(reading: Reading) -> None:
    """A held reading became a done one."""
    _count(reading, held=-1, done=1)


def count_amending(reading: Reading) -> None:
    """A done reading became a held one."""
    _count(reading, held=1, done=-1)


def end_amendment(reading: Reading, *, by: User | None) -> None:
    """Back to what was last completed; what was edited since stays in the journal. The caller saves the row.

    The way back is a line of the journal too, so that a replay always gives the document.
    """
    if reading.document != reading.completed_document:
        journal.rewrite(reading, document=reading.completed_document, actor=by)
    reading.state = moved(reading.state, ReadingState.COMPLETE, READING_MOVES)
    reading.lease_until = None
    count_completed(reading)


@transaction.atomic
def free_expired(project_id: UUID | None = None) -> int:
    """Free the leases (of a project, or of all) that ran out; how many.

    Rows that somebody else has locked are left out: they are being edited, and so renewed, or freed by another.
    """
    expired = Reading.objects.filter(state__in=HELD_STATES, lease_until__lt=now())
    if project_id is not None:
        expired = expired.filter(project_id=project_id)
    rows = list(expired.select_for_update(skip_locked=True, of=("self",)).order_by("id")[:FREED_AT_ONCE])
    freed: dict[UUID, list[UUID]] = {}
    for reading in rows:
        if reading.state == ReadingState.AMENDING:
            end_amendment(reading, by=None)
        else:
            _release(reading)
            freed.setdefault(reading.project_id, []).append(reading.exam_id)
        reading.save()
    for freed_in, exam_ids in sorted(freed.items()):  # sorted: two that free at once wait for each other in turn
        orders.lower_head(freed_in, exam_ids=exam_ids)
    return len(rows)
