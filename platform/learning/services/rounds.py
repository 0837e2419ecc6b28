"""Rounds: rank what is unread and publish it."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Project, Role, User
from accounts.queries import one_at_a_time, require_role
from annotations.models import Order
from annotations.services import publish_order
from core.audit import record
from core.clock import now
from core.moves import moved
from core.numbers import numbered
from exchange.rules import canonical, sha256_of
from jobs.models import Job
from jobs.services import submit
from learning import queries
from learning.models import Round, RoundItem
from learning.ranking import Ranked, batch_sha256, draw
from learning.services.versions import submit_scoring

_CHUNK = 1000


def order_round(project: Project, *, by: User) -> list[Job]:
    """Rank again: score what the promoted versions have not scored yet, then publish. Raises RoleMissing."""
    require_role(by, project, Role.ADMIN)
    with transaction.atomic():
        behind = [version for version in queries.promoted(project) if queries.unscored(version)]
        if behind:
            return [submit_scoring(version, by=by) for version in behind]
        job = submit(
            "learning.rank", {"project_id": str(project.pk)}, actor=by, project=project, title="Rank the unread exams"
        )
    return [job]


def draw_round(project: Project, *, job: Job) -> Round:
    """Rank every unread training exam and publish the order; a second delivery of the job gives the same round.

    The whole input is kept first, so the list can be drawn again from the round alone. Where a later round has been
    drawn by then, which knows what this one knew and more, this one is closed and its order never served.
    """
    known = Round.objects.filter(job_id=job.pk).first() or _drawn(project, job)
    if known.state != Round.State.DRAWN:
        return known
    rows = [(item.exam_id, item.score, item.reason) for item in known.items.order_by("position")]
    source = {"round": str(known.pk), "number": known.number, "strategy": known.strategy,
              "versions": known.input["versions"]}  # fmt: skip
    publish_order(project, rows, source=source, settle=partial(_settle, known, job))
    return known


def _settle(known: Round, job: Job, order: Order) -> bool:
    """The round that readers follow from now on, or one that was overtaken: both with the order, or not at all."""
    rounds = Round.objects.filter(project=known.project)
    if rounds.filter(number__gt=known.number).exists():
        _close(known)
        return False
    for other in rounds.filter(state=Round.State.READING):
        _close(other)
    known.state = moved(known.state, Round.State.READING, Round.MOVES)
    known.order_id, known.published_at = order.pk, now()
    known.save(update_fields=["state", "order_id", "published_at"])
    record(job.created_by, "round.published", target=known, exams=known.items.count())
    return True


def _close(row: Round) -> None:
    row.state, row.closed_at = moved(row.state, Round.State.CLOSED, Round.MOVES), now()
    row.save(update_fields=["state", "closed_at"])


def _drawn(project: Project, job: Job) -> Round:
    """A later number never knows older versions: what was promoted since the input was read is read again."""
    while True:
        given = queries.ranking_input(project)
        ranked = draw(given)
        with transaction.atomic():
            one_at_a_time(project)
            if [version["id"] for version in given["versions"]] == [str(v.pk) for v in queries.promoted(project)]:
                return _kept(project, job, given, ranked)


def _kept(project: Project, job: Job, given: dict[str, Any], ranked: Sequence[Ranked]) -> Round:
    drawn = numbered(
        Round,
        within={"project": project},
        strategy=given["strategy"],
        input=given,
        input_sha256=sha256_of(canonical(given)),
        batch_sha256=batch_sha256(ranked),
        job_id=job.pk,
        created_by=job.created_by,
    )
    items = [
        RoundItem(round=drawn, position=row.position, exam_id=UUID(row.exam_id), score=row.score, reason=row.reason)
        for row in ranked
    ]
    RoundItem.objects.bulk_create(items, batch_size=_CHUNK)
    return drawn
