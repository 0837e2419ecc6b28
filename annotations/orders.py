"""Publishing a ranking: rows in chunks, then one row that flips, so that readers never wait for it."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Min

from accounts.models import Project, User
from accounts.queries import one_at_a_time
from annotations.errors import OrderRefused
from annotations.models import CurrentOrder, Order, OrderEntry, WorkItem
from annotations.signals import order_published
from core.audit import record
from core.clock import now

T = TypeVar("T")
#: One exam's place: exam id, score (None where it was not scored), reason (JSON).
Row = tuple[UUID, float | None, dict[str, Any]]
CHUNK = 1000
#: How far behind the head an exam may be found before the head is moved: some 0.2 ms of walking.
HEAD_STEP = 200


def publish_order(
    project: Project,
    rows: Iterable[Row],
    *,
    source: dict[str, Any],
    by: User | None = None,
    settle: Callable[[Order], bool] = lambda order: True,
) -> Order | None:
    """Make a ranking (best first) the one that a project is served by. An empty one is fine. Raises OrderRefused.

    Until the last statement readers are served by the ranking before; one that breaks off on the way is never current.
    settle: called with the order in the transaction of that statement, one ranking of the project at a time; where it
    says False the ranking before stays, and there is no order (None).
    """
    order = Order.objects.create(project=project, source=source, created_by=by)
    size = 0
    for chunk in chunks(rows, CHUNK):
        _write(order, chunk, first=size + 1)
        size += len(chunk)
    _tell_planner()
    with transaction.atomic():
        one_at_a_time(project)
        if not settle(order):
            return None
        order.size = size
        order.save(update_fields=["size"])
        CurrentOrder.objects.update_or_create(project=project, defaults={"order": order, "head": 0, "since": now()})
        record(by, "order.published", target=order, size=size)
        transaction.on_commit(lambda: order_published.send(Order, project_id=project.pk, order_id=order.pk))
    return order


def forward_head(project_id: UUID, *, found_at: int) -> None:
    """An exam was found at a place far behind the head: look how far the ranking is read, and remember it.

    Safe beside `lower_head`: that one waits for this row before it looks, and this one, having the row, sees every
    exam that was given back by a transaction that has had it.
    """
    rows = CurrentOrder.objects.select_for_update(of=("self",), skip_locked=True)
    current = rows.filter(project_id=project_id, head__lt=found_at - HEAD_STEP).first()
    if current is None:  # near enough, or somebody else is at it
        return
    ahead = OrderEntry.objects.filter(order_id=current.order_id, position__gt=current.head)
    wanting = ahead.filter(item__wanted__gt=F("item__held") + F("item__done"))
    first = wanting.aggregate(first=Min("position"))["first"]
    if first is not None:  # None: another ranking was published since, and all of it is read
        current.head = first - 1
        current.save(update_fields=["head"])


def lower_head(project_id: UUID, *, exam_ids: Iterable[UUID]) -> None:
    """Exams were given back and want a reading again: the head is before them. The last lock of a transaction."""
    current = CurrentOrder.objects.select_for_update(of=("self",)).filter(project_id=project_id).first()
    if current is None or current.head == 0:
        return
    passed = OrderEntry.objects.filter(order_id=current.order_id, position__lte=current.head)
    first = passed.filter(item__exam__in=list(exam_ids)).aggregate(first=Min("position"))["first"]
    if first is not None:
        current.head = first - 1
        current.save(update_fields=["head"])


def _tell_planner() -> None:
    """Without fresh statistics PostgreSQL sorts a whole new ranking for each `next`: 50 ms at 30,000 exams, not 1."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE annotations_orderentry, annotations_workitem")


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size`, in order."""
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk


def _write(order: Order, chunk: list[Row], *, first: int) -> None:
    if any(score is not None and not math.isfinite(score) for _, score, _ in chunk):
        raise OrderRefused("A score is not a finite number.")
    ranked = WorkItem.objects.filter(project_id=order.project_id, tier=1, exam_id__in=[row[0] for row in chunk])
    items = {str(exam_id): item_id for exam_id, item_id in ranked.values_list("exam_id", "id")}
    unknown = [str(exam_id) for exam_id, _, _ in chunk if str(exam_id) not in items]
    if unknown:
        raise OrderRefused(exams=unknown[:10], unknown=len(unknown))
    entries = [
        OrderEntry(order=order, item_id=items[str(exam_id)], position=position, score=score, reason=reason)
        for position, (exam_id, score, reason) in enumerate(chunk, start=first)
    ]
    try:
        with transaction.atomic():
            OrderEntry.objects.bulk_create(entries)
    except IntegrityError as error:
        raise OrderRefused("A ranking names an exam twice.") from error
