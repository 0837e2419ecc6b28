"""What higher floors know of an exam in a list: they register it here, so that the list is one query and one page.

The archive knows no readings; a floor that does adds its columns (`state`, `density`, ...) and filters, and says what
is in them, so that the schema of the API can.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers

from accounts.models import User
from archive.models import Admission

Filter = Callable[[QuerySet[Admission], str, User], QuerySet[Admission]]


@dataclass(frozen=True)
class Columns:
    """Columns of one floor.

    `values(user, project_id, exam_ids)` gives a dict of columns for each exam that it knows something of: one query
    for a whole page. `filters` maps a query parameter to a function that narrows the rows by its value. `shapes` and
    `asked` say to the schema what a column and a filter's parameter may hold.
    """

    values: Callable[[User, UUID, list[UUID]], Mapping[UUID, Mapping[str, Any]]]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    shapes: Mapping[str, serializers.Field[Any, Any, Any, Any]] = field(default_factory=dict)
    asked: Mapping[str, serializers.Field[Any, Any, Any, Any]] = field(default_factory=dict)


REGISTERED: dict[str, Columns] = {}


def register(name: str, columns: Columns) -> None:
    """Add a floor's columns; a second call under the same name replaces the first."""
    REGISTERED[name] = columns


def shapes() -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """What the registered columns hold, by name."""
    return {name: deepcopy(field) for columns in REGISTERED.values() for name, field in columns.shapes.items()}


def asked() -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    """What the registered filters may be asked, by query parameter."""
    return {name: deepcopy(field) for columns in REGISTERED.values() for name, field in columns.asked.items()}


def narrowed(rows: QuerySet[Admission], given: Mapping[str, str], user: User) -> QuerySet[Admission]:
    """Rows by the registered filters that a request names."""
    for columns in REGISTERED.values():
        for name, narrow in columns.filters.items():
            if given.get(name):
                rows = narrow(rows, given[name], user)
    return rows


def values_of(user: User, rows: Iterable[Admission]) -> dict[UUID, dict[str, Any]]:
    """All registered columns of the rows of a page, by admission; a few queries for each project on the page."""
    found: dict[UUID, dict[str, Any]] = {}
    for project_id, group in groupby(sorted(rows, key=attrgetter("project_id")), key=attrgetter("project_id")):
        admissions = {row.exam_id: row.pk for row in group}
        found |= {pk: {} for pk in admissions.values()}
        for columns in REGISTERED.values():
            for exam_id, values in columns.values(user, project_id, list(admissions)).items():
                found[admissions[exam_id]] |= values
    return found
