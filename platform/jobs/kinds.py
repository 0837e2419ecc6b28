"""Which kinds of jobs there are: what runs, in which queue, how often. Apps' `tasks.py` fill this list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Handler = Callable[..., dict[str, Any] | None]
QUEUES = ("io", "cpu", "gpu")


@dataclass(frozen=True)
class Kind:
    """A kind of job: what runs, in which queue, how often it is tried when its worker is lost."""

    name: str
    queue: str
    run: Handler
    max_attempts: int


KINDS: dict[str, Kind] = {}
CHORES: dict[str, Callable[[], object]] = {}


def handler(name: str, *, queue: str, max_attempts: int = 3) -> Callable[[Handler], Handler]:
    """Register what a kind of job does."""
    assert queue in QUEUES, queue

    def register(run: Handler) -> Handler:
        assert name not in KINDS or KINDS[name].run.__qualname__ == run.__qualname__, f"two handlers for {name}"
        KINDS[name] = Kind(name, queue, run, max_attempts)
        return run

    return register


def chore(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a small thing that beat does again and again; it leaves no job behind."""

    def register(run: Callable[[], object]) -> Callable[[], object]:
        CHORES[name] = run
        return run

    return register
