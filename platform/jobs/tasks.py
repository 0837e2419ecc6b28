"""Chores of jobs and core."""

from core import audit, idempotency
from jobs import services
from jobs.handlers import chore


@chore("jobs.sweep")
def sweep() -> None:
    services.sweep()


@chore("core.seal")
def seal() -> None:
    audit.seal()


@chore("core.forget_answers")
def forget_answers() -> None:
    idempotency.forget_old()
