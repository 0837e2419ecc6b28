"""States are data: one enum and one table of allowed moves beside each model."""

from collections.abc import Mapping
from typing import TypeVar

from django.db.models import TextChoices

from core.errors import MoveRefused

State = TypeVar("State", bound=TextChoices)


def moved(now: str, to: State, table: Mapping[State, frozenset[State]]) -> State:
    """The state after a move. Raises MoveRefused when the table does not have it."""
    if to not in table.get(type(to)(now), frozenset()):
        raise MoveRefused(now=str(now), to=str(to))
    return to
