"""Numbers that people say: run 3 of a project, snapshot v2."""

from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import Max

Row = TypeVar("Row", bound=models.Model)


def numbered(model: type[Row], *, within: dict[str, Any], **fields: Any) -> Row:
    """Make the row with the next `number` within something, say a project; the first is 1.

    Two at once: the database's constraint on both decides, and the loser takes the next number. Raises IntegrityError
    where another constraint is broken.
    """
    rows = model._default_manager
    for _ in range(5):
        last = rows.filter(**within).aggregate(last=Max("number"))["last"] or 0
        try:
            with transaction.atomic():
                return rows.create(**within, number=last + 1, **fields)
        except IntegrityError:
            if not rows.filter(**within, number=last + 1).exists():
                raise
    raise AssertionError("five others took the next number first")
