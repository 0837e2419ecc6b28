"""The whole way through the real learner: import, read, freeze, train, promote, score, rank, and what stops it."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from annotations import services as annotations
from annotations.models import Purpose, Reading
from annotations.queries import unread_pool
from core.errors import MammoError
from core.ids import uuid7
from exchange import services as exchange
from exchange.importers.film import Film, wrap
from jobs.handlers import Cancelled, JobContext
from jobs.models import Job, JobState
from jobs.testing import run_queued
from learning import queries, work
from learning.models import ModelVersion, Prediction, Round, RunEvent, Score
from learning.services import runs, versions
from learning.services.weights import add_weights
from learning.supervise import Patience
from ml.acquisition.order import order
from tests.exchange.test_mini_mias import take_in

FAST = Patience(poll=0.05)


@pytest.fixture(autouse=True)
def folders(var_dir, settings):
    settings.GPU_LOCK_DIR = str(var_dir / "gpu")


SPLITS = ["val", "test", *["train"] * 10]


@pytest.fixture
def films(tmp_path):
    """Twelve patients of noise in three densities, the darker the fattier, with a split that they carry."""
    folder = tmp_path / "films"
    folder.mkdir()
    exams = []
    for number, split in enumerate(SPLITS):
        level = 40 + 60 * (number % 3)
        noise = np.random.default_rng(number).integers(level, level + 60, (128, 128), np.uint8)
        patient = f"noise:{number}"
        header = Film("noise", f"n{number}", patient, "L", "MLO", ("P", "F"), (0.8, 0.8), "none", "us", "noise")
        dataset = wrap(header, noise)
        dataset.save_as(folder / f"n{number}.dcm", enforce_file_format=True)
        exams.append({"study_instance_uid": str(dataset.StudyInstanceUID), "patient_id": patient,
                      "split": split, "density": "abc"[number % 3], "findings": []})  # fmt: skip
    (folder / "truth.json").write_text(json.dumps({"schema": "mammoloop.phantoms/1.0", "exams": exams}))
    return folder


@pytest.fixture
def snapshot(project, admin, reader, films):
    """All val and test exams are read, and seven training exams; three wait."""
    take_in(project, films, admin)
    for _ in range(9):
        read_next(project, reader)
    made = exchange.order_snapshot(project, references=False, note="", by=admin)
    run_queued()
    made.refresh_from_db()
    return made


def read_next(project, reader):
    reading = annotations.lease_next(project, reader=reader)
    said = Reading.objects.get(exam=reading.exam, purpose=Purpose.REFERENCE).completed_document
    patch = [{"op": "replace", "path": "/breasts", "value": said["breasts"]}]
    edit = annotations.apply_edit(reading.pk, by=reader, revision=0, edit_id=uuid7(), patch=patch)
    annotations.complete_reading(reading.pk, by=reader, revision=edit.revision)


def order_run(snapshot, admin, steps=4):
    config = {"steps": steps, "batch": 4}
    return runs.start_run(snapshot.project, snapshot, method="dcse_resnet50", size="tiny", config=config, by=admin)


def test_a_run_learns_its_version_ranks_what_is_unread_and_all_goes_with_the_project(
    snapshot, admin, api, django_capture_on_commit_callbacks
):
    project = snapshot.project
    run = order_run(snapshot, admin)
    run_queued()
    run.refresh_from_db()
    assert run.job.state == JobState.DONE, run.job.error
    version = ModelVersion.objects.get(run=run)
    assert version.metrics
    assert {metric["split"] for metric in version.metrics} <= {"val", "test"}
    assert version.model_sha256
    seen = list(RunEvent.objects.filter(run=run).values_list("seq", flat=True))
    assert seen == list(range(1, len(seen) + 1))
    assert Prediction.objects.filter(version=version, split="test").exists()

    versions.promote(version.pk, by=admin)
    jobs = {job.kind: job for job in run_queued()}
    assert {kind: (job.state, job.error) for kind, job in jobs.items()} == {
        "learning.score": ("done", None), "learning.rank": ("done", None)
    }  # fmt: skip
    pool = {str(exam) for exam in unread_pool(project)}
    scores = {str(exam): value for exam, value in Score.objects.values_list("exam_id", "value")}
    assert scores.keys() == pool
    assert len(pool) == 3
    assert set(Score.objects.values_list("kind", flat=True)) == {"mutual_information"}
    drawn = Round.objects.get()
    wanted = [exam for exam, _, _ in order({e: {"density": v} for e, v in scores.items()}, None, project.seed)]
    assert [str(item.exam_id) for item in drawn.items.order_by("position")] == wanted
    assert Prediction.objects.filter(version=version, split="pool", exam_id__in=pool).exists()

    said = dict(Job.objects.filter(state=JobState.DONE).values_list("kind", "message"))
    assert said == {
        "archive.ingest": "Took in 12 images of 12 exams. Files besides: 1 read as labels.",
        "archive.derive": "Prepared 12 images of 12 exams.", "exchange.freeze_snapshot": "Froze 9 exams as v1.",
        "learning.train": "Trained model 1.", "learning.score": "Stored 3 scores.",
        "learning.rank": "Ranked 3 exams as round 1.",
    }  # fmt: skip
    # What a real learner wrote is what the schema promises: `api` holds each answer against it.
    exam = Prediction.objects.filter(version=version).first().exam_id
    pages = [f"runs/{run.pk}/", f"runs/{run.pk}/events/", f"models/{version.pk}/", f"rounds/{drawn.pk}/"]
    for page in [*pages, f"models/{version.pk}/predictions/?exam={exam}", f"scores/?model={version.pk}"]:
        assert api(admin).get(f"/api/v1/{page}").status_code == 200

    folder = queries.run_folder(run.pk)
    assert folder.is_dir()
    with django_capture_on_commit_callbacks(execute=True):
        project.delete()
    assert not (ModelVersion.objects.exists() or Round.objects.exists() or folder.exists())


def test_weights_that_do_not_fit_the_method_end_the_run_with_a_reason(snapshot, admin, settings, var_dir):
    settings.DISK_RESERVE_BYTES = 0
    content = save({"conv.weight": np.zeros((2, 2), np.float32)})
    brought = add_weights(
        snapshot.project, "own.safetensors", [content], licence="MIT", origin="here", layout="own", by=admin
    )
    run = runs.start_run(snapshot.project, snapshot, method="dcse_resnet50", size="tiny", weights=brought, by=admin)
    run_queued()
    run.refresh_from_db()
    assert run.job.error["code"] == "learning.run_invalid"
    assert "weights_incomplete" in str(run.job.error)


def context_of(job):
    """A context as a worker has it."""
    token = uuid7()
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, lease_token=token, attempts=1)
    return JobContext(Job.objects.get(pk=job.pk), token, 1)


def when(run, kind, act):
    """A watch that acts once, when the run has said something of this kind."""

    class Watch(work.JobWatch):
        acted = False

        def events(self, new):
            super().events(new)
            for event in new:
                if event["type"] == kind and not self.acted:
                    type(self).acted = True
                    act(new[0] if new[0]["type"] == "started" else event)

    return Watch


@pytest.mark.trap(40)
@pytest.mark.trap(45)
def test_a_training_that_was_killed_is_queued_again_and_resumes(snapshot, admin, monkeypatch):
    run = order_run(snapshot, admin, steps=30)
    pids = []

    def kill(event):
        pids.append(RunEvent.objects.filter(run=run, type="started").latest("seq").body["pid"])
        os.kill(pids[-1], signal.SIGKILL)

    monkeypatch.setattr(work, "JobWatch", when(run, "stage_started", kill))
    run_queued()
    run.refresh_from_db()
    assert (run.state, run.job.error["code"]) == ("queued", "learning.child_killed")
    Job.objects.filter(pk=run.job_id).update(not_before="2020-01-01T00:00:00Z")
    run_queued()
    run.refresh_from_db()
    assert run.state == JobState.DONE
    assert sorted(set(RunEvent.objects.filter(run=run).values_list("attempt", flat=True))) == [1, 2]
    assert ModelVersion.objects.filter(run=run).count() == 1


def test_a_cancelled_training_ends_its_child_and_makes_no_version(snapshot, admin, monkeypatch):
    run = order_run(snapshot, admin, steps=10_000)
    ctx = context_of(run.job)

    def cancel(event):
        Job.objects.filter(pk=run.job_id).update(cancel_requested_at="2026-01-01T00:00:00Z")

    monkeypatch.setattr(work, "JobWatch", when(run, "stage_started", cancel))
    with pytest.raises(Cancelled):
        work.train_run(ctx, run.pk, patience=FAST)
    pid = RunEvent.objects.get(run=run, type="started").body["pid"]
    assert not Path(f"/proc/{pid}").exists()
    assert RunEvent.objects.filter(run=run, type="cancelled").exists()
    assert not ModelVersion.objects.filter(run=run).exists()


CODES = {
    1: "learning.child_failed",
    2: "learning.run_invalid",
    3: "learning.data_refused",
    4: "learning.out_of_memory",
    5: "learning.diverged",
    6: "learning.device_lost",
    11: "learning.time_spent",
    137: "learning.child_killed",
    -9: "learning.child_killed",
    99: "learning.child_failed",
}


@pytest.mark.parametrize("code", CODES)
def test_every_exit_code_is_an_error_with_a_cure_and_what_the_learner_said(code):
    with pytest.raises(MammoError) as raised:
        work.raise_for(code, {"code": "leakage_patient", "text": "2 patients are in more than one split"})
    assert raised.value.code == CODES[code]
    assert raised.value.cure
    assert raised.value.detail["text"] == "2 patients are in more than one split"
    assert raised.value.transient == (code in (6, 137, -9))


def test_a_run_s_progress_is_the_job_s(snapshot, admin):
    run = order_run(snapshot, admin)
    ctx = context_of(run.job)
    watch = work.JobWatch(ctx, run.pk)
    progress = {"step": 10, "planned_steps": 10, "stage": "main", "loss": 0.25}
    watch.events(
        [
            {"type": "started", "seq": 1, "attempt": 1},
            {"type": "progress", "seq": 2, **progress},
            {"type": "warning", "seq": 3, "code": "duplicate_view", "text": "two images of one view"},
        ]
    )
    job = Job.objects.get(pk=run.job_id)
    assert (job.done, job.total, job.message) == (10, 10, "main, loss 0.250")
    assert "duplicate_view" in job.log_tail
