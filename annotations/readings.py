"""What a reader does with a reading: edit, complete, amend, skip, flag. One transaction each."""

from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from annotations import holds, journal, queries
from annotations.errors import EditIdReused, ReadingEmpty, ReasonMissing, RevisionStale
from annotations.models import READING_MOVES, Reading, ReadingEdit, ReadingState
from annotations.projection import rebuild_findings
from annotations.rules import apply_patch, canonical_json, check_patch, validate_document
from annotations.signals import reading_completed
from core.audit import record
from core.clock import now
from core.errors import MoveRefused
from core.moves import moved

MAX_REASON = 500
NEW_IMAGES = "New images arrived after this reading was completed."


@transaction.atomic
def apply_edit(reading_id: UUID, *, by: User, revision: int, edit_id: UUID, patch: list[Any]) -> ReadingEdit:
    """Change a reading by a JSON Patch; the same edit id again answers the same.

    Raises Missing, NotYourReading, PatchInvalid, PatchTooLarge, PatchTestFailed, EditIdReused, ReadingClosed,
    LeaseLost, RevisionStale, and what `validate_document` raises. Nothing is stored then.
    """
    check_patch(patch)
    reading = queries.lock_own(reading_id, by=by)
    known = ReadingEdit.objects.filter(edit_id=edit_id).first()
    if known is not None:
        return _same_edit(known, reading, patch)
    holds.hold(reading, at=now())
    _require_revision(reading, revision, patch)
    document = apply_patch(reading.document, patch)
    validate_document(document, queries.images_of(reading.exam_id))
    edit = journal.append(reading, document=document, patch=patch, actor=by, edit_id=edit_id)
    if reading.state == ReadingState.LEASED:
        reading.state = moved(reading.state, ReadingState.OPEN, READING_MOVES)
    reading.save()
    return edit


def _same_edit(known: ReadingEdit, reading: Reading, patch: list[Any]) -> ReadingEdit:
    # Compared in canonical form: PostgreSQL keeps numbers and keys of JSON in a notation of its own.
    if known.reading_id != reading.pk or canonical_json(known.patch) != canonical_json(patch):
        raise EditIdReused()
    return known


def _require_revision(reading: Reading, revision: int, patch: list[Any] | None = None) -> None:
    if reading.revision != revision:
        theirs = {"revision": reading.revision, "document": reading.document}
        raise RevisionStale(yours={"revision": revision, "patch": patch}, theirs=theirs)


@transaction.atomic
def renew_lease(reading_id: UUID, *, by: User) -> Reading:
    """The page is still open: the lease starts again. Raises Missing, NotYourReading, ReadingClosed, LeaseLost."""
    reading = queries.lock_own(reading_id, by=by)
    holds.hold(reading, at=now())
    reading.save()
    return reading


@transaction.atomic
def complete_reading(reading_id: UUID, *, by: User, revision: int) -> Reading:
    """Sign what a reading says at a revision and make its findings; the same call again answers the same.

    Raises Missing, NotYourReading, ReadingClosed, LeaseLost, RevisionStale, ReadingEmpty.
    """
    reading = queries.lock_own(reading_id, by=by)
    if reading.state == ReadingState.COMPLETE and reading.completed_revision == revision:
        return reading
    holds.hold(reading, at=now())
    _require_revision(reading, revision)
    if reading.revision == 0:
        raise ReadingEmpty()
    if reading.state == ReadingState.LEASED:  # taken again after an interruption, and nothing left to change
        reading.state = moved(reading.state, ReadingState.OPEN, READING_MOVES)
    reading.state = moved(reading.state, ReadingState.COMPLETE, READING_MOVES)
    holds.count_completed(reading)
    sign(reading)
    record(by, "reading.completed", target=reading, revision=reading.revision)
    return reading


def sign(reading: Reading) -> None:
    """Make the present revision of a reading the completed one, save it and tell the floors above."""
    reading.lease_until = None
    reading.completed_revision, reading.completed_document = reading.revision, reading.document
    reading.completed_at = now()
    rebuild_findings(reading)
    reading.save()
    ids = {"reading_id": reading.pk, "project_id": reading.project_id, "exam_id": reading.exam_id}
    # On commit, not here: a ranker that wakes inside the transaction would rank without this reading.
    transaction.on_commit(lambda: reading_completed.send(Reading, **ids))


@transaction.atomic
def amend_reading(reading_id: UUID, *, by: User) -> Reading:
    """Open a completed reading again; what was completed stays valid until the amendment is.

    Raises Missing, NotYourReading, MoveRefused.
    """
    reading = queries.lock_own(reading_id, by=by)
    reading.state = moved(reading.state, ReadingState.AMENDING, READING_MOVES)
    reading.lease_until = holds.lease_end(now())
    holds.count_amending(reading)
    reading.save()
    record(by, "reading.amending", target=reading, revision=reading.revision)
    return reading


@transaction.atomic
def discard_amendment(reading_id: UUID, *, by: User) -> Reading:
    """Back to what was last completed; the journal keeps what was tried.

    Raises Missing, NotYourReading, MoveRefused.
    """
    reading = queries.lock_own(reading_id, by=by)
    if reading.state != ReadingState.AMENDING:
        raise MoveRefused(now=reading.state, to=str(ReadingState.COMPLETE))
    holds.end_amendment(reading, by=by)
    reading.save()
    record(by, "reading.discarded", target=reading, revision=reading.revision)
    return reading


@transaction.atomic
def release_reading(reading_id: UUID, *, by: User) -> Reading:
    """Give an exam back before the lease ends; the work is kept. Raises Missing, NotYourReading, MoveRefused."""
    reading = queries.lock_own(reading_id, by=by)
    _released(reading)
    reading.save()
    return reading


@transaction.atomic
def skip_reading(reading_id: UUID, *, by: User, reason: str) -> Reading:
    """Give an exam back and do not be offered it again. Raises Missing, NotYourReading, ReasonMissing, MoveRefused."""
    reading = queries.lock_own(reading_id, by=by)
    reading.skip_reason = _reason(reason)
    _released(reading)
    reading.skipped_at = now()
    reading.save()
    record(by, "reading.skipped", target=reading)
    return reading


def _released(reading: Reading) -> None:
    if reading.state != ReadingState.RELEASED:  # a lease that ran out meanwhile has done it already
        holds.release(reading)


@transaction.atomic
def flag_reading(reading_id: UUID, *, by: User, reason: str) -> Reading:
    """Ask the administrators to look at this exam; the reading goes on.

    Raises Missing, NotYourReading, ReasonMissing.
    """
    reading = queries.lock_own(reading_id, by=by)
    reading.flag_reason, reading.flagged_at = _reason(reason), now()
    reading.save(update_fields=["flag_reason", "flagged_at"])
    record(by, "reading.flagged", target=reading)
    return reading


def _reason(text: str) -> str:
    text = text.strip()
    if not text or len(text) > MAX_REASON:
        raise ReasonMissing(most=MAX_REASON)
    return text


@transaction.atomic
def flag_changed_exam(exam_id: UUID) -> int:
    """New images of an exam arrived: its completed readings were made without them. How many were flagged."""
    return queries.completed_of_exam(exam_id).update(flag_reason=NEW_IMAGES, flagged_at=now())
