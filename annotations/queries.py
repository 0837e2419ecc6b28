"""Every read of worklists and readings that is more than a lookup."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from accounts.models import Membership, Project, Role, User
from annotations.errors import NotYourReading
from annotations.models import (
    COMPLETED_STATES,
    HELD_STATES,
    CurrentOrder,
    Order,
    OrderEntry,
    Purpose,
    Reading,
    ReadingState,
    WorkItem,
)
from annotations.rules.served import KEY_BITS
from archive.models import Image
from core.clock import now
from core.errors import Missing

_WANTING = Q(wanted__gt=F("held") + F("done"))
_CHUNK = 500


# --- who sees what ----------------------------------------------------------------------------------------------
def visible_to(user: User) -> QuerySet[Reading]:
    """The readings that an account may see.

    A reader sees their own; an adjudicator also what others completed; a researcher all that is completed, with the
    references; an administrator everything. Nobody's unfinished reading is shown to another reader: they read blind.
    """
    rows = Reading.objects.all()
    if user.is_site_admin:
        return rows
    completed = Q(state__in=COMPLETED_STATES)
    return rows.filter(
        Q(project__in=_projects(user, Role.ADMIN))
        | Q(project__in=_projects(user, Role.RESEARCHER)) & completed
        | Q(project__in=_projects(user, Role.ADJUDICATOR)) & completed & ~Q(purpose=Purpose.REFERENCE)
        | Q(project__in=_projects(user, Role.READER, Role.ADJUDICATOR), reader=user)
    )


def _projects(user: User, *roles: Role) -> Any:
    return Membership.objects.filter(user=user, role__in=roles).values("project_id")


def unfinished_by(user: User, exam_id: UUID | str) -> QuerySet[Reading]:
    """An account's own readings of an exam that are under way or will be gone on with; skipped ones are not."""
    rows = Reading.objects.filter(exam_id=exam_id, reader=user)
    return rows.exclude(state=ReadingState.COMPLETE).exclude(state=ReadingState.RELEASED, skipped_at__isnull=False)


def lock_own(reading_id: UUID, *, by: User) -> Reading:
    """A reader's own reading, locked until the transaction ends. Raises Missing, NotYourReading."""
    reading = visible_to(by).select_for_update(of=("self",)).filter(pk=reading_id).first()
    if reading is None:
        raise Missing()
    if reading.reader_id != by.pk:
        raise NotYourReading()
    return reading


def lock_reader(project: Project, reader: User) -> None:
    """Wait until no other transaction serves the same reader or changes what they hold or left.

    The account's row is locked without its key: rows that name the account stay free to be written.
    """
    list(User.objects.select_for_update(no_key=True).filter(pk=reader.pk).values_list("pk", flat=True))
    mine = held_by(project, reader) | released_by(project, reader)
    list(mine.select_for_update(of=("self",)).values_list("pk", flat=True))


# --- what is next -----------------------------------------------------------------------------------------------
def held_by(project: Project, reader: User) -> QuerySet[Reading]:
    return Reading.objects.filter(project=project, reader=reader, state__in=HELD_STATES)


def released_by(project: Project, reader: User) -> QuerySet[Reading]:
    """What a reader began, lost or gave back, and did not skip."""
    return Reading.objects.filter(project=project, reader=reader, state=ReadingState.RELEASED, skipped_at=None)


def still_wanted(reading: Reading, *, wait: bool) -> bool:
    """Whether the exam of a released reading wants one more; if so its count is locked until the transaction ends."""
    items = WorkItem.objects.filter(project_id=reading.project_id, exam_id=reading.exam_id).filter(_WANTING)
    return items.select_for_update(of=("self",), skip_locked=not wait).first() is not None


def _read_by(reader: User, prefix: str = "") -> Exists:
    """Whether a reader has any reading of the exam of an item."""
    mine = Reading.objects.filter(project=OuterRef(f"{prefix}project"), exam=OuterRef(f"{prefix}exam"), reader=reader)
    return Exists(mine)


def _locked(rows: QuerySet[Any], of: str, *, wait: bool) -> QuerySet[Any]:
    """Rows to be locked; those that another transaction has locked are passed over unless `wait`."""
    return rows.select_for_update(of=(of,), skip_locked=not wait)


def _served(project: Project, reader: User, *, tier: int) -> QuerySet[WorkItem]:
    """Exams of a tier that want a reading and have none of this reader's, in keyed order."""
    return WorkItem.objects.filter(_WANTING, ~_read_by(reader), project=project, tier=tier).order_by("keyed")


def _ranked(project: Project, reader: User) -> QuerySet[OrderEntry]:
    """Places of the current ranking that this reader can be given; walks from the ranking's head on."""
    current = CurrentOrder.objects.filter(project=project).first()
    if current is None:
        return OrderEntry.objects.none()
    wanting = Q(item__tier=1, item__wanted__gt=F("item__held") + F("item__done"))
    ahead = OrderEntry.objects.filter(order_id=current.order_id, position__gt=current.head)
    rows = ahead.filter(wanting, ~_read_by(reader, "item__")).select_related("item")
    return rows.order_by("position")


def _unranked(project: Project, reader: User) -> QuerySet[WorkItem]:
    """Training exams that the current ranking does not name: they came since, or nothing has ranked yet."""
    current = CurrentOrder.objects.filter(project=project).values("order_id")
    ranked = OrderEntry.objects.filter(order__in=current, item=OuterRef("pk"))
    return _served(project, reader, tier=1).filter(~Exists(ranked))


def best_of_first_tier(project: Project, reader: User, *, wait: bool) -> WorkItem | None:
    """The first validation, test or audit exam that this reader can be given, locked."""
    return _locked(_served(project, reader, tier=0), "self", wait=wait).first()


def best_ranked(project: Project, reader: User, *, wait: bool) -> OrderEntry | None:
    """The first place of the current ranking that this reader can be given, its item locked."""
    return _locked(_ranked(project, reader), "item", wait=wait).first()


def best_unranked(project: Project, reader: User, *, wait: bool) -> WorkItem | None:
    """The first training exam outside the ranking, locked."""
    return _locked(_unranked(project, reader), "self", wait=wait).first()


def upcoming(project: Project, reader: User) -> UUID | None:
    """The exam that a reader would be given after the one in hand, as things stand; None when nothing waits.

    A guess for the page to fetch its images ahead: it locks nothing and promises nothing, for another reader may be
    faster. It asks in the order of `worklist.lease_next`.
    """
    others = held_by(project, reader).order_by("-lease_until").values_list("exam_id", flat=True)[1:2]
    wanting = WorkItem.objects.filter(_WANTING, project=project, exam=OuterRef("exam"))
    released = released_by(project, reader).filter(Exists(wanting)).order_by("id")
    for rows in (
        others,
        released.values_list("exam_id", flat=True),
        _served(project, reader, tier=0).values_list("exam_id", flat=True),
        _ranked(project, reader).values_list("item__exam_id", flat=True),
        _unranked(project, reader).values_list("exam_id", flat=True),
    ):
        if (exam_id := next(iter(rows[:1]), None)) is not None:
            return exam_id
    return None


def worklist_for(project: Project, reader: User) -> dict[str, Any]:
    """What waits for a reader: `left` exams, `mine_held`, `done`, `last_completed` (a reading or None), `upcoming`."""
    mine = Reading.objects.filter(project=project, reader=reader)
    completed = mine.filter(state=ReadingState.COMPLETE)
    # A lease that ran out is free for the next who asks, though nobody has asked yet.
    at = now()
    ran_out = Reading.objects.filter(
        project=project, exam=OuterRef("exam"), state__in=[ReadingState.LEASED, ReadingState.OPEN], lease_until__lt=at
    )
    items = WorkItem.objects.filter(_WANTING | Exists(ran_out), project=project)
    new = items.filter(~_read_by(reader)).count()
    again = released_by(project, reader).filter(Exists(items.filter(exam=OuterRef("exam")))).count()
    held = held_by(project, reader).count()
    return {
        "left": new + again + held,
        "mine_held": held,
        "done": completed.count(),
        "last_completed": completed.order_by("-completed_at").values_list("id", flat=True).first(),
        "upcoming": upcoming(project, reader),
    }


def current_order(project: Project) -> Order | None:
    """The ranking that a project is served by; None before the first."""
    current = CurrentOrder.objects.filter(project=project).select_related("order").first()
    return current.order if current else None


def entries(project: Project) -> QuerySet[WorkItem]:
    """Every exam that still wants a reading, in the order of serving, with `place`, `position`, `score`, `reason`.

    `place` is one number for (tier, position, key): below 2^60 the first tier, below 2^61 the ranked, then the rest.
    """
    order = CurrentOrder.objects.filter(project=project).values("order_id")
    entry = OrderEntry.objects.filter(order__in=order, item=OuterRef("pk"))
    ranked = 1 << KEY_BITS
    place = Case(
        When(tier=0, then=F("keyed")),
        When(position__isnull=False, then=Value(ranked) + F("position")),
        default=Value(2 * ranked) + F("keyed"),
        output_field=BigIntegerField(),
    )
    rows = WorkItem.objects.filter(project=project, wanted__gt=F("done")).select_related("exam")
    rows = rows.annotate(
        position=Case(When(tier=1, then=Subquery(entry.values("position")[:1])), output_field=BigIntegerField()),
        score=Subquery(entry.values("score")[:1]),
        reason=Subquery(entry.values("reason")[:1]),
    )
    return rows.annotate(place=place).order_by("place")


# --- what was said ----------------------------------------------------------------------------------------------
def images_of(exam_id: UUID) -> QuerySet[Image]:
    """An exam's images with what marks need to know of them."""
    return Image.objects.filter(exam_id=exam_id).only("id", "rows", "cols", "laterality")


def completed_of_exam(exam_id: UUID) -> QuerySet[Reading]:
    """The readings of an exam that somebody completed, in every project; not what came with a data set."""
    return Reading.objects.filter(exam_id=exam_id, state__in=COMPLETED_STATES).exclude(purpose=Purpose.REFERENCE)


def readings_for_snapshot(project: Project, *, policy: dict[str, Any]) -> Iterator[Reading]:
    """The readings that a snapshot may take, in exam order; of each, `completed_document` at `completed_revision`.

    `policy["references"]` says whether reference readings are among them. A reading that is being amended counts
    with what was last completed.
    """
    purposes = [Purpose.PRIMARY, Purpose.REFERENCE] if policy.get("references") else [Purpose.PRIMARY]
    rows = Reading.objects.filter(project=project, state__in=COMPLETED_STATES, purpose__in=purposes)
    return rows.select_related("exam__patient").order_by("exam_id", "purpose", "id").iterator(chunk_size=_CHUNK)


def counts(project: Project) -> dict[str, int]:
    """How far the reading of a project is: readings `wanted`, `complete` and `held`, exams `waiting` for one."""
    items = WorkItem.objects.filter(project=project)
    sums = items.aggregate(
        wanted=Coalesce(Sum("wanted"), 0), complete=Coalesce(Sum("done"), 0), held=Coalesce(Sum("held"), 0)
    )
    return {**sums, "exams": items.count(), "waiting": items.filter(wanted__gt=F("done")).count()}


def unread_pool(project: Project) -> QuerySet[WorkItem, UUID]:
    """Ids of the training exams that nobody has completed a primary reading of: what a model is asked to rank."""
    signed = Reading.objects.filter(
        project=project, exam=OuterRef("exam"), purpose=Purpose.PRIMARY, completed_revision__isnull=False
    )
    rows = WorkItem.objects.filter(~Exists(signed), project=project, tier=1)
    return rows.order_by("keyed").values_list("exam_id", flat=True)
