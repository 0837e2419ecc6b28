"""Promote, score, rank, publish: the order that readers are served is the order that was ranked."""

import pytest
from django.db import connection

from accounts.errors import RoleMissing
from annotations import services as annotations
from annotations.models import CurrentOrder
from core.errors import MoveRefused
from jobs.models import Job, JobState
from jobs.testing import run_queued
from learning import queries
from learning.errors import ResultUnreadable
from learning.models import ModelVersion, Promotion, Round, Score
from learning.ranking import batch_sha256, draw
from learning.services import rounds, scores, versions
from ml.acquisition.order import order
from ml.runs.manifest import read_manifest
from ml.runs.request import read_request
from tests.exchange import factories as exams
from tests.learning import factories

State = ModelVersion.State


@pytest.fixture
def pool(read_project):
    return [exams.an_exam(read_project, f"unread-{number}") for number in range(5)]


def rank_job(project, admin):
    return Job.objects.create(kind="learning.rank", queue="cpu", project=project, created_by=admin, params={})


def scored_in_full(version, pool):
    """Promote a version, score the pool with it, let the ranking follow."""
    factories.scored(version, {exam: 0.1 * number for number, exam in enumerate(pool)})


def test_promotion_retires_the_version_before_it_of_the_same_task(snapshot, admin, density_version, var_dir):
    versions.promote(density_version.pk, by=admin)
    second = factories.a_version(snapshot, admin, method="dcse_resnet50")
    versions.promote(second.pk, by=admin)
    density_version.refresh_from_db()
    second.refresh_from_db()
    assert (density_version.state, second.state) == (State.RETIRED, State.PROMOTED)
    assert list(Promotion.objects.values_list("was", "became")) == [
        ("candidate", "promoted"), ("promoted", "retired"), ("candidate", "promoted")
    ]  # fmt: skip


def test_a_retired_version_can_be_rolled_back_to(snapshot, admin, density_version, var_dir):
    versions.promote(density_version.pk, by=admin)
    second = factories.a_version(snapshot, admin, method="dcse_resnet50")
    versions.promote(second.pk, by=admin)
    versions.promote(density_version.pk, by=admin)
    second.refresh_from_db()
    assert second.state == State.RETIRED
    assert [v.pk for v in queries.promoted(snapshot.project)] == [density_version.pk]


def test_versions_of_two_tasks_are_promoted_side_by_side(admin, density_version, lesion_version):
    versions.promote(density_version.pk, by=admin)
    versions.promote(lesion_version.pk, by=admin)
    assert {v.task for v in queries.promoted(density_version.project)} == {"density", "lesion_detection"}


def test_a_promoted_version_is_not_promoted_again(admin, density_version):
    versions.promote(density_version.pk, by=admin)
    with pytest.raises(MoveRefused):
        versions.promote(density_version.pk, by=admin)


def test_a_reader_promotes_nothing(reader, density_version):
    with pytest.raises(RoleMissing):
        versions.promote(density_version.pk, by=reader)


def test_the_folder_of_a_scoring_holds_the_unread_training_exams_and_the_model(admin, density_version, pool):
    exams.an_exam(density_version.project, "unread-val", split="val")
    _, job = versions.promote(density_version.pk, by=admin)
    folder = scores.write_score_folder(density_version, job.pk)
    rows, request = read_manifest(folder), read_request(folder)
    assert {row.exam_id for row in rows} == {str(exam.pk) for exam in pool}
    assert {row.split for row in rows} == {"pool"}
    assert (request.command, request.init.path) == ("score", "init/model")
    assert (folder / "init/model/weights.safetensors").exists()


def test_scores_are_stored_with_their_raw_parts_and_only_once(admin, density_version, pool):
    _, job = versions.promote(density_version.pk, by=admin)
    folder = scores.write_score_folder(density_version, job.pk)
    rows = [
        {
            "exam_id": str(exam.pk),
            "part": "density",
            "value": number / 10,
            "kind": "mutual_information",
            "images": {"i": 0.1},
        }
        for number, exam in enumerate(pool)
    ]
    factories.write_scores(folder, rows)
    assert scores.import_scores(density_version, folder) == scores.import_scores(density_version, folder) == 5
    assert sorted(Score.objects.values_list("value", flat=True)) == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert queries.unscored(density_version) == []


def test_scores_without_a_result_are_not_believed(admin, density_version, pool):
    _, job = versions.promote(density_version.pk, by=admin)
    folder = scores.write_score_folder(density_version, job.pk)
    (folder / "scores.jsonl").write_text("")
    with pytest.raises(ResultUnreadable):
        scores.import_scores(density_version, folder)


@pytest.mark.trap(30)
def test_readers_are_served_in_the_order_that_was_published(
    admin, reader, member, density_version, lesion_version, pool
):
    for version in (density_version, lesion_version):
        version.state = State.PROMOTED
        version.save()
    density = dict(zip(pool, (0.3, 0.1, None, 0.2, 0.5), strict=True))
    mass = dict(zip(pool, (0.01, 0.9, 0.4, 0.2, 0.0), strict=True))
    factories.scored(density_version, density)
    factories.scored(lesion_version, mass, part="mass")
    project = density_version.project
    drawn = rounds.draw_round(project, job=rank_job(project, admin))
    parts = {str(exam.pk): {"density": density[exam], "mass": mass[exam]} for exam in pool}
    wanted = [exam for exam, _, _ in order(parts, drawn.input["weights"], project.seed)]
    assert [str(item.exam_id) for item in drawn.items.order_by("position")] == wanted
    readers = [reader, member("reader2"), member("reader3")]
    served = []
    for turn in range(len(pool)):
        reading = annotations.lease_next(project, reader=readers[turn % 3])
        served.append(str(reading.exam_id))
        annotations.complete_reading(
            reading.pk, by=readers[turn % 3], revision=factories.say_density(reading, readers[turn % 3])
        )
    assert served == wanted


def test_a_round_keeps_its_whole_input_and_can_be_drawn_again(admin, density_version, pool):
    density_version.state = State.PROMOTED
    density_version.save()
    factories.scored(density_version, {exam: 0.1 * n for n, exam in enumerate(pool)})
    project = density_version.project
    drawn = rounds.draw_round(project, job=rank_job(project, admin))
    Score.objects.all().delete()
    drawn.refresh_from_db()
    assert batch_sha256(draw(drawn.input)) == drawn.batch_sha256
    assert drawn.input["versions"] == [
        {"id": str(density_version.pk), "number": 1, "task": "density", "model_sha256": density_version.model_sha256}
    ]


def test_a_second_delivery_publishes_the_same_round(admin, density_version, pool):
    project = density_version.project
    job = rank_job(project, admin)
    first, again = rounds.draw_round(project, job=job), rounds.draw_round(project, job=job)
    assert first.pk == again.pk
    assert Round.objects.count() == 1
    assert CurrentOrder.objects.get(project=project).order_id == first.order_id


def test_a_new_round_closes_the_one_before(admin, read_project, pool):
    first = rounds.draw_round(read_project, job=rank_job(read_project, admin))
    second = rounds.draw_round(read_project, job=rank_job(read_project, admin))
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == ("closed", "reading", 2)


def test_a_round_that_was_overtaken_is_closed_and_never_served(admin, read_project, pool):
    """The worker died before it published; meanwhile another ranking was drawn, which knows more."""
    job = rank_job(read_project, admin)
    first = rounds.draw_round(read_project, job=job)
    Round.objects.filter(pk=first.pk).update(state="drawn", order_id=None, published_at=None)
    CurrentOrder.objects.filter(project=read_project).delete()
    second = rounds.draw_round(read_project, job=rank_job(read_project, admin))
    again = rounds.draw_round(read_project, job=job)
    second.refresh_from_db()
    assert (again.pk, again.state, again.order_id, second.state) == (first.pk, "closed", None, "reading")
    assert CurrentOrder.objects.get(project=read_project).order_id == second.order_id


def test_a_version_that_is_promoted_while_a_round_is_drawn_is_in_it(admin, density_version, lesion_version, pool):
    """Two rankings at once: the one that read first must not come last, with the older version."""
    density_version.state = State.PROMOTED
    density_version.save()
    project, told = density_version.project, []

    def promote(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if "learning_score" in sql and not told:
            told.append(sql)
            ModelVersion.objects.filter(pk=lesion_version.pk).update(state=State.PROMOTED)
        return found

    with connection.execute_wrapper(promote):
        drawn = rounds.draw_round(project, job=rank_job(project, admin))
    assert told and {row["id"] for row in drawn.input["versions"]} == {str(density_version.pk), str(lesion_version.pk)}
    assert Round.objects.count() == 1


@pytest.mark.trap(35)
def test_an_empty_pool_gives_an_empty_round_and_no_error(admin, read_project):
    drawn = rounds.draw_round(read_project, job=rank_job(read_project, admin))
    assert (drawn.state, drawn.items.count()) == ("reading", 0)


@pytest.mark.trap(31)
def test_without_a_model_the_round_is_by_chance_and_says_so(admin, read_project, pool):
    drawn = rounds.draw_round(read_project, job=rank_job(read_project, admin))
    assert drawn.strategy == "keyed_random"
    assert {item.score for item in drawn.items.all()} == {None}


@pytest.mark.trap(37)
def test_scores_of_a_version_that_no_longer_ranks_move_nothing(snapshot, admin, density_version, pool, var_dir):
    factories.scored(density_version, {exam: 0.1 * n for n, exam in enumerate(pool)})
    density_version.state = State.RETIRED
    density_version.save()
    drawn = rounds.draw_round(snapshot.project, job=rank_job(snapshot.project, admin))
    assert drawn.strategy == "keyed_random"


def test_a_ranking_waits_for_a_scoring_that_is_under_way(admin, density_version, lesion_version, pool):
    for version in (density_version, lesion_version):
        versions.promote(version.pk, by=admin)
    _, job = density_version, Job.objects.filter(kind="learning.score").order_by("id").first()
    scored_in_full(density_version, pool)
    scores.scoring_done(density_version, job=job)
    ranking = Job.objects.get(kind="learning.rank")
    from jobs.execution import run_job

    run_job(ranking.pk)
    ranking.refresh_from_db()
    assert ranking.result == {"round": None, "waits_for": [str(lesion_version.pk)]}


def test_a_scoring_that_was_cancelled_holds_nothing_up(admin, density_version, pool):
    from jobs.services import request_cancel

    _, job = versions.promote(density_version.pk, by=admin)
    request_cancel(job, by=admin)
    assert queries.being_scored(density_version.project) == []


def test_promoting_with_nothing_to_score_publishes_an_empty_order(admin, density_version, lesion_version):
    for version in (density_version, lesion_version):
        versions.promote(version.pk, by=admin)
    jobs = run_queued()
    assert {job.kind: job.state for job in jobs if job.kind != "learning.train"} == {
        "learning.score": JobState.DONE, "learning.rank": JobState.DONE
    }  # fmt: skip
    assert Round.objects.get().items.count() == 0
