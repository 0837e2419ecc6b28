"""Which exam a reader is given next: the heart of the worklist, in one transaction."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Project, Role, User
from accounts.queries import require_role
from annotations import holds, orders, queries
from annotations.lexicon import empty_document
from annotations.models import Reading, WorkItem
from annotations.orders import CHUNK, chunks
from annotations.rules.served import keyed, tier_of, wanted_of
from archive.models import Admission
from core.clock import now

READS = (Role.READER, Role.ADJUDICATOR)


@transaction.atomic
def add_exams(*, project_id: UUID, exam_ids: Iterable[UUID]) -> int:
    """Put admitted exams on the worklist of a project; those that are there stay as they are. How many were given."""
    project = Project.objects.get(pk=project_id)
    return sum(_add(project, chunk) for chunk in chunks(exam_ids, CHUNK))


def _add(project: Project, exam_ids: list[UUID]) -> int:
    admitted = Admission.objects.filter(project=project, exam_id__in=exam_ids)
    items = [
        WorkItem(
            project=project,
            exam_id=exam_id,
            tier=tier_of(split),
            keyed=keyed(project.seed, exam_id),
            wanted=wanted_of(split, project.readings_per_exam),
        )
        for exam_id, split in admitted.values_list("exam_id", "split")
    ]
    WorkItem.objects.bulk_create(items, ignore_conflicts=True)
    return len(items)


def lease_next(project: Project, *, reader: User) -> Reading | None:
    """The reading that its reader should do now, leased to them; None when nothing waits for them.

    The reader's own held reading comes first, then their own released one that they did not skip, then the best exam:
    by tier, then by place in the current ranking, then in keyed order. Raises Missing, RoleMissing.
    """
    require_role(reader, project, *READS)
    reading = _lease(project, reader, wait=False)
    if reading is None and connection.features.has_select_for_update_skip_locked:
        # Exams that others were just taking were passed over, and may want one more reading. This second look waits
        # for them. It frees no leases and so holds no exam's row while it waits: it cannot be part of a deadlock.
        reading = _lease(project, reader, wait=True)
    return reading


@transaction.atomic
def _lease(project: Project, reader: User, *, wait: bool) -> Reading | None:
    # First of all, so that this transaction never waits for a reading while it holds the count of an exam.
    queries.lock_reader(project, reader)
    if not wait:
        holds.free_expired(project.pk)
    return _own_held(project, reader) or _own_released(project, reader, wait=wait) or _best(project, reader, wait=wait)


def _own_held(project: Project, reader: User) -> Reading | None:
    reading = queries.held_by(project, reader).order_by("-lease_until").first()
    return _renewed(reading) if reading is not None else None


def _own_released(project: Project, reader: User, *, wait: bool) -> Reading | None:
    for reading in queries.released_by(project, reader).order_by("id"):
        if queries.still_wanted(reading, wait=wait):
            return _renewed(reading)
    return None


def _renewed(reading: Reading) -> Reading:
    holds.hold(reading, at=now())
    reading.save(update_fields=["state", "lease_until", "skipped_at", "skip_reason"])
    return reading


def _best(project: Project, reader: User, *, wait: bool) -> Reading | None:
    while (item := _candidate(project, reader, wait=wait)) is not None:
        if holds.take(project_id=project.pk, exam_id=item.exam_id):
            return Reading.objects.create(
                project=project,
                exam_id=item.exam_id,
                reader=reader,
                created_by=reader,
                document=empty_document(),
                lease_until=holds.lease_end(now()),
            )
    return None


def _candidate(project: Project, reader: User, *, wait: bool) -> WorkItem | None:
    """The best exam, locked until the transaction ends: by tier, by place in the ranking, by key."""
    first = queries.best_of_first_tier(project, reader, wait=wait)
    if first is not None:
        return first
    entry = queries.best_ranked(project, reader, wait=wait)
    if entry is None:
        return queries.best_unranked(project, reader, wait=wait)
    orders.forward_head(project.pk, found_at=entry.position)
    return entry.item
