"""The one clock, so that a test can hold it still."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_held: datetime | None = None


def now() -> datetime:
    """The time, in UTC."""
    return _held or datetime.now(UTC)


class Hands:
    """What a test moves a held clock with."""

    def advance(self, **by: float) -> None:
        global _held
        assert _held is not None
        _held += timedelta(**by)


@contextmanager
def frozen(at: datetime | None = None) -> Iterator[Hands]:
    """Hold the clock still at a time (default: now) while the block runs; for tests."""
    global _held
    before, _held = _held, at or datetime.now(UTC)
    try:
        yield Hands()
    finally:
        _held = before
