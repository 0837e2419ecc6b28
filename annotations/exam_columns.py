"""What readings add to a list of exams: how far each is read, and what those that the caller may see say of it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from rest_framework import serializers

from accounts.models import User
from annotations.lexicon import DENSITIES, codes
from annotations.models import COMPLETED_STATES, Finding, Purpose, Reading, WorkItem
from annotations.queries import visible_to
from archive.columns import Columns, register
from archive.models import Admission
from core.answers import counts

#: Whose word counts in a list where several may be seen: a reader's before a data set's.
_FIRST = {Purpose.PRIMARY: 0, Purpose.REFERENCE: 1}
_STATES = {
    "read": Q(done__gte=F("wanted")),
    "held": Q(done__lt=F("wanted"), held__gt=0),
    "waiting": Q(done__lt=F("wanted"), held=0),
}


def values(user: User, project_id: UUID, exam_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """For each exam: `state` (waiting, held, read; where it is on the worklist), `density`, `findings` by type."""
    found: dict[UUID, dict[str, Any]] = {exam_id: {"density": None, "findings": {}} for exam_id in exam_ids}
    for item in WorkItem.objects.filter(project_id=project_id, exam__in=exam_ids):
        found[item.exam_id]["state"] = _state(item)
    said = _said(user, project_id, exam_ids)
    for reading in said.values():
        found[reading.exam_id]["density"] = reading.density or None
    counted = Finding.objects.filter(reading__in=said.values()).values_list("reading__exam_id", "type")
    for exam_id, kind, count in counted.annotate(Count("id")).order_by("type"):
        found[exam_id]["findings"][kind] = count
    return found


def _state(item: WorkItem) -> str:
    if item.done >= item.wanted:
        return "read"
    return "held" if item.held else "waiting"


def _completed(user: User) -> QuerySet[Reading]:
    """The completed readings that an account may see: of a reader, their own alone."""
    return visible_to(user).filter(state__in=COMPLETED_STATES)


def _said(user: User, project_id: UUID, exam_ids: Iterable[UUID]) -> dict[UUID, Reading]:
    """By exam the one reading that a list shows: the last completed of those whose word counts most."""
    rows = _completed(user).filter(project_id=project_id, exam__in=exam_ids)
    rows = rows.only("id", "exam_id", "purpose", "density", "completed_at").order_by("completed_at")
    ranked = sorted(rows, key=lambda reading: _FIRST.get(Purpose(reading.purpose), len(_FIRST)), reverse=True)
    return {reading.exam_id: reading for reading in ranked}


def _by_state(rows: QuerySet[Admission], value: str, user: User) -> QuerySet[Admission]:
    if value not in _STATES:
        return rows.none()
    return rows.filter(Exists(_item().filter(_STATES[value])))


def _by_density(rows: QuerySet[Admission], value: str, user: User) -> QuerySet[Admission]:
    return rows.filter(Exists(_here(_completed(user)).filter(density=value)))


def _by_finding(rows: QuerySet[Admission], value: str, user: User) -> QuerySet[Admission]:
    return rows.filter(Exists(_here(_completed(user)).filter(findings__type=value)))


def _unread(rows: QuerySet[Admission], value: str, user: User) -> QuerySet[Admission]:
    return rows.filter(Exists(_item().filter(done=0)))


def _item() -> QuerySet[WorkItem]:
    return WorkItem.objects.filter(exam=OuterRef("exam"), project=OuterRef("project"))


def _here(readings: QuerySet[Reading]) -> QuerySet[Reading]:
    return readings.filter(exam=OuterRef("exam"), project=OuterRef("project"))


def connect() -> None:
    """Add the columns and filters; a second call changes nothing."""
    filters = {"state": _by_state, "density": _by_density, "finding": _by_finding, "unread": _unread}
    states = serializers.ChoiceField(choices=sorted(_STATES), required=False)
    shapes: dict[str, Any] = {
        "state": states,
        "density": serializers.ChoiceField(choices=DENSITIES, allow_null=True),
        "findings": counts(help_text="how many of each type"),
    }
    asked: dict[str, Any] = {
        "state": states,
        "density": serializers.ChoiceField(choices=DENSITIES, required=False),
        "finding": serializers.ChoiceField(choices=codes("finding_types"), required=False),
        "unread": serializers.BooleanField(required=False, help_text="those that nobody has read; any value"),
    }
    register("annotations", Columns(values=values, filters=filters, shapes=shapes, asked=asked))
