"""What higher floors know of an exam in a list: they register it here, so that the list is one query and one page.

The archive knows no readings; a floor that does adds its columns (`state`, `density`, ...) and filters.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from archive.models import Admission

Filter = Callable[[QuerySet[Admission], str, User], QuerySet[Admission]]


@dataclass(frozen=True)
class Columns:
    """Columns of one floor.

    `values(user, project_id, exam_ids)` gives a dict of columns for each exam that it knows something of: one query
    for a whole page. `filters` maps a query parameter to a function that narrows the rows by its value.
    """

    values: Callable[[User, UUID, list[UUID]], Mapping[UUID, Mapping[str, Any]]]
    filters: Mapping[str, Filter] = field(default_factory=dict)


REGISTERED: dict[str, Columns] = {}


def register(name: str, columns: Columns) -> None:
    """Add a floor's columns; a second call under the same name replaces the first."""
    REGISTERED[name] = columns


def narrowed(rows: QuerySet[Admission], asked: Mapping[str, str], user: User) -> QuerySet[Admission]:
    """Rows by the registered filters that a request names."""
    for columns in REGISTERED.values():
        for name, narrow in columns.filters.items():
            if asked.get(name):
                rows = narrow(rows, asked[name], user)
    return rows


def values_of(user: User, project_id: UUID, exam_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """All registered columns of the exams of a page."""
    ids = list(exam_ids)
    found: dict[UUID, dict[str, Any]] = {exam_id: {} for exam_id in ids}
    for columns in REGISTERED.values():
        for exam_id, values in columns.values(user, project_id, ids).items():
            found[exam_id] |= values
    return found
