"""Starting a run, writing its folder, taking in what it made."""

import json
import math

import pytest

from accounts.errors import RoleMissing
from accounts.models import Role
from exchange import services as exchange
from exchange.errors import SnapshotNotFrozen
from jobs.models import JobState
from learning import queries
from learning.errors import ConfigRefused, InitRefused, MethodUnknown, ResultUnreadable, RetrainRefused
from learning.models import ModelVersion, Prediction, RunEvent
from learning.services import runs
from ml.runs.manifest import read_manifest
from ml.runs.request import Target, read_request
from ml.runs.validate import validate
from tests.exchange import factories as exams
from tests.learning import factories


def test_a_run_is_numbered_and_waits_in_the_queue_of_the_gpu(snapshot, admin):
    first, second = factories.a_run(snapshot, admin), factories.a_run(snapshot, admin, method="retinanet_mass")
    assert (first.number, second.number) == (1, 2)
    assert (first.state, first.job.queue, first.task, second.task) == ("queued", "gpu", "density", "lesion_detection")


def test_a_folder_is_whole_a_request_a_manifest_and_nothing_absolute_but_the_cache(snapshot, admin, var_dir):
    run = factories.a_run(snapshot, admin, config={"steps": 7}, seed=3)
    folder = runs.write_folder(run)
    request, rows = read_request(folder), read_manifest(folder)
    assert (request.method, request.seed, request.config, request.compute.threads) == (
        "dcse_resnet50",
        3,
        {"steps": 7},
        1,
    )
    assert {row.split for row in rows} == {"train", "val", "test"}
    validate(rows)
    run.refresh_from_db()
    assert run.request["run_id"] == str(run.pk)
    meta = json.loads((folder / "manifest.meta.json").read_text())
    assert meta["snapshot_id"] == str(snapshot.pk)
    assert meta["sources"][0]["licence"]


def test_a_folder_that_is_there_is_not_written_again_so_that_it_can_resume(snapshot, admin, var_dir):
    run = factories.a_run(snapshot, admin)
    before = {path.name: path.stat().st_mtime_ns for path in runs.write_folder(run).iterdir()}
    assert {path.name: path.stat().st_mtime_ns for path in runs.write_folder(run).iterdir()} == before


def test_starting_from_a_version_brings_its_model_into_the_folder(snapshot, admin, density_version):
    run = factories.a_run(snapshot, admin, init=density_version)
    folder = runs.write_folder(run)
    request = read_request(folder)
    assert (request.init.kind, request.init.path) == ("model_dir", "init/model")
    assert request.init.version == str(density_version)
    assert (folder / "init/model/weights.safetensors").read_bytes() == str(density_version.run_id).encode()


def test_a_version_of_another_method_is_no_start(snapshot, admin, density_version):
    with pytest.raises(InitRefused):
        factories.a_run(snapshot, admin, method="retinanet_mass", init=density_version)


def test_what_cannot_be_trained_is_refused_in_a_sentence(project, reader, admin):
    exams.read(project, reader, "one", density="b")
    thin = exchange.order_snapshot(project, references=False, note="", by=admin)
    with pytest.raises(SnapshotNotFrozen):
        factories.a_run(thin, admin)
    thin = exchange.freeze_snapshot(thin.pk)
    with pytest.raises(RetrainRefused) as refused:
        factories.a_run(thin, admin)
    assert "classes" in refused.value.sentence or "at least" in refused.value.sentence
    assert "validation" in refused.value.sentence


def test_unknown_methods_and_sizes_are_refused(snapshot, admin):
    with pytest.raises(MethodUnknown):
        factories.a_run(snapshot, admin, method="magic")
    with pytest.raises(ConfigRefused):
        runs.start_run(snapshot.project, snapshot, method="dcse_resnet50", size="huge", by=admin)


def test_a_run_may_name_what_the_label_is_of_those_of_its_task(snapshot, admin, var_dir):
    plain = factories.a_run(snapshot, admin, method="gan_augmentation")
    asked = factories.a_run(snapshot, admin, method="gan_augmentation", target="pathology")
    wanted = [read_request(runs.write_folder(run)).target for run in (plain, asked)]
    assert wanted == [None, Target(kind="pathology")]
    with pytest.raises(ConfigRefused) as refused:
        factories.a_run(snapshot, admin, method="gan_augmentation", target="outcome")
    assert refused.value.detail == {"target": "outcome", "targets": ["presence", "pathology"]}


@pytest.mark.parametrize("role", [Role.READER, Role.RESEARCHER, Role.ADJUDICATOR])
def test_only_an_administrator_starts_a_run(snapshot, member, role):
    with pytest.raises(RoleMissing):
        factories.a_run(snapshot, member("somebody", role))


def test_an_event_told_twice_is_one_row(snapshot, admin):
    run = factories.a_run(snapshot, admin)
    events = [{"type": "started", "seq": 1, "attempt": 2}, {"type": "progress", "seq": 2, "loss": 0.5}]
    assert runs.store_events(run.pk, events, attempt=1) == 2
    runs.store_events(run.pk, events, attempt=1)
    assert list(RunEvent.objects.filter(run=run).values_list("attempt", "seq")) == [(2, 1), (2, 2)]


def test_a_finished_run_becomes_a_version_with_metrics_curves_and_predictions(snapshot, admin, var_dir):
    run = factories.a_run(snapshot, admin)
    exam = str(snapshot.items.first().exam_id)
    rows = [{"exam_id": exam, "image_id": str(snapshot.pk), "split": "test", "prob": 0.5}] * 2
    factories.finish(run, predictions=[*rows, {"exam_id": exam, "image_id": None, "split": "test", "prob": 0.5}])
    version = runs.import_run(run)
    assert (version.state, version.snapshot_sha256, version.code_version) == ("candidate", snapshot.sha256, "abc123")
    assert version.headline == {"qwk": 0.61}
    assert [metric["name"] for metric in version.metrics] == ["qwk", "froc_sens@1"]
    assert sorted(len(rows) for rows in Prediction.objects.values_list("rows", flat=True)) == [1, 2]
    assert runs.import_run(run).pk == version.pk
    assert ModelVersion.objects.count() == 1


@pytest.mark.trap(61)
def test_a_model_that_lost_its_hash_is_not_imported(snapshot, admin, var_dir):
    run = factories.a_run(snapshot, admin)
    (factories.finish(run) / "model" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(ResultUnreadable):
        runs.import_run(run)


def test_a_prediction_that_is_no_number_is_refused_whole(snapshot, admin, var_dir):
    run = factories.a_run(snapshot, admin)
    factories.finish(run, predictions=[{"exam_id": str(run.pk), "score": math.nan}])
    with pytest.raises(ResultUnreadable):
        runs.import_run(run)
    assert ModelVersion.objects.count() == Prediction.objects.count() == 0


def test_a_finished_folder_found_at_start_is_imported_and_not_trained_again(snapshot, admin, var_dir):
    from jobs.testing import run_queued

    run = factories.a_run(snapshot, admin)
    factories.finish(run)
    run_queued()
    run.refresh_from_db()
    assert run.job.state == JobState.DONE
    assert run.job.result["version"] == str(run.version.pk)
    assert not (queries.run_folder(run.pk) / "logs").exists()


def test_a_task_that_the_method_does_not_serve_is_refused(snapshot, admin):
    with pytest.raises(ConfigRefused) as error:
        factories.a_run(snapshot, admin, task="segmentation")
    assert error.value.detail["tasks"] == ["density"]
