"""A job is taken by one worker, ends once, and survives its worker."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from core.clock import frozen
from core.errors import MoveRefused, Unavailable
from jobs import execution, services
from jobs.errors import NotRunning, Unexpected
from jobs.handlers import Cancelled, GiveBack, JobContext
from jobs.kinds import KINDS, Kind
from jobs.models import JOB_MOVES, Job, JobState
from jobs.testing import run_queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind() -> Iterator[Any]:
    """`kind(run)`: register a kind of job for one test; the name it has."""
    made = []

    def register(run: Any, max_attempts: int = 3) -> str:
        name = f"test.{run.__name__}"
        KINDS[name] = Kind(name, "io", run, max_attempts)
        made.append(name)
        return name

    yield register
    for name in made:
        del KINDS[name]


def _submitted(name: str, **params: Any) -> Job:
    return services.submit(name, params, actor=None)


def test_what_a_handler_returns_is_the_result(kind: Any) -> None:
    def double(ctx: JobContext, *, number: int) -> dict[str, int]:
        ctx.progress(1, 1, "doubling, 1 s left")
        ctx.conclude("Doubled 21.")
        return {"number": 2 * number}

    job = _submitted(kind(double), number=21)
    run_queued()
    job.refresh_from_db()
    assert (job.state, job.result, job.message) == (JobState.DONE, {"number": 42}, "Doubled 21.")


@pytest.mark.parametrize(
    ("ends_with", "message"),
    [
        (None, ""), (NotRunning(), NotRunning().sentence), (Cancelled(), "Cancelled at 3 of 4."), (GiveBack(), ""),
        (RuntimeError("words of a file"), Unexpected().sentence),
    ],
)  # fmt: skip
def test_a_job_that_has_ended_does_not_say_how_long_it_will_take(
    kind: Any, ends_with: Exception | None, message: str
) -> None:
    def ending(ctx: JobContext) -> None:
        ctx.progress(3, 4, "training, 1 s left")
        if ends_with is not None:
            raise ends_with

    job = _submitted(kind(ending))
    execution.run_job(job.pk)
    job.refresh_from_db()
    assert job.message == message


def test_the_same_key_is_the_same_job(kind: Any) -> None:
    def nothing(ctx: JobContext) -> None:
        return None

    name = kind(nothing)
    assert services.submit(name, {}, actor=None, key="k").pk == services.submit(name, {}, actor=None, key="k").pk


@pytest.mark.trap(40)
def test_a_second_delivery_finds_the_job_taken_and_leaves(kind: Any) -> None:
    runs = []

    def once(ctx: JobContext) -> None:
        runs.append(1)
        execution.run_job(ctx.job.pk)  # the broker delivers it again while it runs

    job = _submitted(kind(once))
    execution.run_job(job.pk)
    execution.run_job(job.pk)
    assert runs == [1]


@pytest.mark.trap(41)
def test_a_failure_is_marked_though_what_the_handler_wrote_is_taken_back(
    kind: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """The mark is made outside the handler's transaction: an end that breaks into it takes the mark not with it."""
    told: list[str] = []

    def broken_into(ctx: JobContext) -> None:
        with transaction.atomic():
            Job.objects.filter(pk=ctx.job.pk).update(title="half done")
            transaction.on_commit(lambda: told.append("committed"))
            raise TimeoutError("as a soft time limit does, in the middle of a transaction")

    job = _submitted(kind(broken_into))
    with django_capture_on_commit_callbacks(execute=True):
        run_queued()
    job.refresh_from_db()
    assert (job.state, job.error["code"], job.title, told) == (JobState.FAILED, Unexpected.code, "", [])


@pytest.mark.trap(41)
def test_no_time_limit_of_the_queue_breaks_into_a_job() -> None:
    from mammoloop.celery import app

    assert app.conf.task_soft_time_limit is None and app.conf.task_time_limit is None


@pytest.mark.trap(41)
def test_a_job_whose_worker_was_lost_is_run_again_and_the_late_worker_changes_nothing(kind: Any) -> None:
    def slow(ctx: JobContext) -> dict[str, str]:
        return {"by": "the second worker"}

    job = _submitted(kind(slow))
    with frozen() as hands:
        taken = services.take(job.pk, worker="one")
        assert taken is not None
        hands.advance(seconds=61)
        assert services.sweep()["lost"] == 1
        run_queued()
        assert not services.finish(job.pk, token=taken[1], result={"by": "the first"})
    job.refresh_from_db()
    assert (job.state, job.result, job.attempts) == (JobState.DONE, {"by": "the second worker"}, 2)


@pytest.mark.trap(45)
def test_a_job_that_loses_every_worker_fails_with_a_sentence(kind: Any) -> None:
    def deadly(ctx: JobContext) -> None:
        return None

    job = _submitted(kind(deadly))
    with frozen() as hands:
        for _ in range(3):
            services.take(job.pk, worker="one")
            hands.advance(seconds=61)
            services.sweep()
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.error["code"] == "jobs.worker_lost" and job.error["cure"]


def test_a_transient_error_is_tried_again_later_and_another_is_not(kind: Any) -> None:
    def flaky(ctx: JobContext) -> None:
        if ctx.attempt < 3:
            raise Unavailable("The archive does not answer.")

    def broken(ctx: JobContext) -> None:
        raise KeyError("patient Müller")

    good, bad = _submitted(kind(flaky)), _submitted(kind(broken))
    with frozen() as hands:
        for _ in range(3):
            run_queued()
            hands.advance(minutes=5)
    good.refresh_from_db(), bad.refresh_from_db()
    assert (good.state, good.attempts) == (JobState.DONE, 3)
    assert (bad.state, bad.attempts, bad.error["code"]) == (JobState.FAILED, 1, "jobs.unexpected")
    assert "Müller" not in str(bad.error) + bad.log_tail


def test_a_job_given_back_waits_again_and_the_attempt_does_not_count(kind: Any) -> None:
    def leaving(ctx: JobContext) -> None:
        raise GiveBack()

    job = _submitted(kind(leaving))
    execution.run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.delivered_at) == (JobState.QUEUED, 0, None)


def test_cancel_ends_a_waiting_job_at_once_and_tells_a_running_one(kind: Any, site_admin: User) -> None:
    def long(ctx: JobContext) -> None:
        services.request_cancel(ctx.job, by=site_admin)
        ctx.check_cancelled()

    waiting, running = _submitted(kind(long)), _submitted("test.long")
    assert services.request_cancel(waiting, by=site_admin).state == JobState.CANCELLED
    execution.run_job(running.pk)
    running.refresh_from_db()
    assert running.state == JobState.CANCELLED
    with pytest.raises(NotRunning):
        services.request_cancel(running, by=site_admin)
    assert services.retry(running, by=site_admin).state == JobState.QUEUED


def test_a_done_job_is_not_retried(kind: Any, site_admin: User) -> None:
    def fine(ctx: JobContext) -> None:
        return None

    job = _submitted(kind(fine))
    run_queued()
    with pytest.raises(MoveRefused):
        services.retry(job, by=site_admin)


def test_the_table_of_moves_names_every_state() -> None:
    assert set(JOB_MOVES) == set(JobState) and all(moves <= set(JobState) for moves in JOB_MOVES.values())


def test_whoever_submits_a_job_puts_a_message_into_its_queue(
    kind: Any, django_capture_on_commit_callbacks: Any
) -> None:
    def nothing(ctx: JobContext) -> None:
        return None

    name = kind(nothing)
    with django_capture_on_commit_callbacks(execute=True):
        job = _submitted(name)
    job.refresh_from_db()
    assert job.delivered_at is not None  # the broker of the tests took it
