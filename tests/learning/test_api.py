"""Methods, runs, models, scores, rounds and the strip over HTTP: who may, what goes out."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from accounts.services import create_user
from archive.models import Exam
from exchange import services as exchange
from jobs.models import Job, JobState
from jobs.services import error_body
from jobs.testing import run_queued
from learning import queries
from learning.errors import RunInvalid, TimeSpent
from learning.models import ModelVersion, Prediction, Run
from learning.services import rounds, runs
from tests.exchange import factories as exams
from tests.learning import factories

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")


@pytest.fixture
def run(snapshot, admin, var_dir):
    made = factories.a_run(snapshot, admin, config={"steps": 5})
    runs.store_events(made.pk, [{"type": "started", "seq": 1, "attempt": 1, "t": "now"}], attempt=1)
    runs.store_events(made.pk, [{"type": "progress", "seq": 2, "loss": 0.5, "t": "now"}], attempt=1)
    return made


@pytest.fixture
def drawn(read_project, admin, pool):
    job = Job.objects.create(kind="learning.rank", queue="cpu", project=read_project, created_by=admin, params={})
    return rounds.draw_round(read_project, job=job)


def test_methods_say_whether_they_can_learn_from_a_snapshot_and_why_not(snapshot, admin, api):
    rows = {row["name"]: row for row in api(admin).get("/api/v1/methods/", {"snapshot": str(snapshot.pk)}).json()}
    assert {"dcse_resnet50", "retinanet_mass"} <= rows.keys()
    assert (rows["dcse_resnet50"]["allowed"], rows["dcse_resnet50"]["refusal"]) == (True, None)
    unasked = api(admin).get("/api/v1/methods/").json()[0]
    assert (unasked["allowed"], unasked["refusal"]) == (False, "Freeze a snapshot first.")


def test_each_task_of_a_method_is_allowed_or_refused_by_itself(project, reader, admin, api):
    for number, density in enumerate("abcd"):
        exams.read(project, reader, f"train-{number}", density=density)
    exams.read(project, reader, "val", split="val", density="b")
    thin = exchange.order_snapshot(project, references=False, note="", by=admin)
    exchange.freeze_snapshot(thin.pk)
    rows = {row["name"]: row for row in api(admin).get("/api/v1/methods/", {"snapshot": str(thin.pk)}).json()}
    refused = {
        name: {served["task"] for served in rows[name]["serves"] if served["refusal"]}
        for name in ("wavelet_scattering", "unet_classifier")
    }
    assert refused["wavelet_scattering"] == {"lesion_classification"}
    assert (rows["wavelet_scattering"]["allowed"], rows["wavelet_scattering"]["refusal"]) == (True, None)
    assert refused["unet_classifier"] == {"exam_classification", "segmentation", "lesion_classification"}
    assert [name for name in ("gmic", "convnext_breast", "frozen_mil") if rows[name]["allowed"]] == []
    started = api(admin).post(
        "/api/v1/runs/", {"snapshot": str(thin.pk), "method": "wavelet_scattering", "task": "density"}
    )
    assert started.status_code == 201


def test_retrain_starts_a_run_that_names_its_command(snapshot, admin, api):
    body = {"snapshot": str(snapshot.pk), "method": "retinanet_mass", "size": "tiny", "config": {"steps": 5}}
    answer = api(admin).post("/api/v1/runs/", body)
    run = answer.json()
    assert (answer.status_code, run["number"], run["state"], run["task"]) == (201, 1, "queued", "lesion_detection")
    assert run["command"].startswith("python -m ml train ")
    assert run["command"].endswith(run["id"])
    assert api(admin).get(f"/api/v1/jobs/{run['job']['id']}/").json()["link"] == f"/runs/{run['id']}"


def test_a_refused_retrain_says_why_in_a_sentence(project, reader, admin, api):
    exams.read(project, reader, "one", density="b")
    thin = exchange.order_snapshot(project, references=False, note="", by=admin)
    exchange.freeze_snapshot(thin.pk)
    answer = api(admin).post("/api/v1/runs/", {"snapshot": str(thin.pk), "method": "dcse_resnet50"})
    assert (answer.status_code, answer.json()["code"]) == (409, "learning.retrain_refused")
    assert answer.json()["detail"].endswith(".")


def test_events_come_as_json_after_a_number_and_as_a_stream(run, admin, api):
    client = api(admin)
    assert [e["seq"] for e in client.get(f"/api/v1/runs/{run.pk}/events/").json()] == [1, 2]
    assert [e["loss"] for e in client.get(f"/api/v1/runs/{run.pk}/events/", {"after": 1}).json()] == [0.5]
    Job.objects.filter(pk=run.job_id).update(state=JobState.DONE)
    stream = client.get(f"/api/v1/runs/{run.pk}/events/", headers={"Accept": "text/event-stream"})
    assert (stream["Content-Type"], stream["X-Accel-Buffering"]) == ("text/event-stream", "no")
    text = b"".join(stream).decode()
    assert [line for line in text.splitlines() if line.startswith("id: ")] == ["id: 1", "id: 2"]
    assert text.endswith("event: end\ndata: {}\n\n")


def test_a_stream_goes_on_after_the_last_event_that_was_seen(run, admin, api):
    Job.objects.filter(pk=run.job_id).update(state=JobState.DONE)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "1"}
    text = b"".join(api(admin).get(f"/api/v1/runs/{run.pk}/events/", headers=headers)).decode()
    assert [line for line in text.splitlines() if line.startswith("id: ")] == ["id: 2"]


def test_the_folder_of_a_run_comes_as_a_zip_without_checkpoints(run, admin, api):
    assert api(admin).get(f"/api/v1/runs/{run.pk}/folder/").json()["code"] == "learning.no_run_folder"
    folder = factories.finish(run)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "big").write_bytes(b"x")
    content = b"".join(api(admin).get(f"/api/v1/runs/{run.pk}/folder/"))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        names = set(opened.namelist())
        assert json.loads(opened.read("run-1/request.json"))["run_id"] == str(run.pk)
    assert {"run-1/manifest.jsonl", "run-1/model/weights.safetensors", "run-1/result.json"} < names
    assert not any("checkpoints" in name for name in names)


def test_a_run_is_cancelled_and_resumed_by_its_job(run, admin, api):
    assert api(admin).post(f"/api/v1/runs/{run.pk}/cancel/").json()["state"] == "cancelled"
    assert api(admin).post(f"/api/v1/runs/{run.pk}/resume/").json()["state"] == "queued"


def test_a_run_that_was_refused_is_not_asked_again(run, admin, api):
    client = api(admin)
    Job.objects.filter(pk=run.job_id).update(state=JobState.FAILED, error=error_body(RunInvalid()))
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["may_resume"] is False
    assert client.post(f"/api/v1/runs/{run.pk}/resume/").json()["code"] == "jobs.retry_refused"
    of_job = f"/api/v1/jobs/{run.job_id}/"
    assert client.get(of_job).json()["may_retry"] is False
    assert client.post(f"{of_job}retry/").json()["code"] == "jobs.retry_refused"
    Job.objects.filter(pk=run.job_id).update(error=error_body(TimeSpent()))
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["may_resume"] is True
    assert client.post(f"/api/v1/runs/{run.pk}/resume/").json()["state"] == "queued"


def test_a_model_s_page_has_metrics_curves_and_history(density_version, admin, api):
    client = api(admin)
    promoted = client.post(f"/api/v1/models/{density_version.pk}/promote/").json()
    assert promoted["version"]["state"] == "promoted"
    assert client.get(f"/api/v1/jobs/{promoted['job']}/").json()["kind"] == "learning.score"
    page = client.get(f"/api/v1/models/{density_version.pk}/").json()
    assert page["metrics"][0]["ci"] == [0.4, 0.8]
    assert page["metrics"][1]["reason"] == "no positive patient"
    assert [row["became"] for row in page["history"]] == ["promoted"]
    assert client.post(f"/api/v1/models/{density_version.pk}/retire/").json()["state"] == "retired"


def test_a_round_shows_what_was_asked_and_why(drawn, admin, api):
    client, project = api(admin), str(drawn.project_id)
    [row] = client.get("/api/v1/rounds/", {"project": project}).json()["results"]
    assert (row["number"], row["exams"], row["read"], row["strategy"]) == (1, 5, 0, "keyed_random")
    page = client.get(f"/api/v1/rounds/{drawn.pk}/").json()
    assert [item["position"] for item in page["items"]] == [1, 2, 3, 4, 5]
    assert page["items"][0]["reason"]["why"] == "unscored"
    labels = {str(exam.pk): exam.label for exam in Exam.objects.all()}
    assert [item["label"] for item in page["items"]] == [labels[item["exam_id"]] for item in page["items"]]
    assert [i["position"] for i in client.get(f"/api/v1/rounds/{drawn.pk}/", {"after": 3}).json()["items"]] == [4, 5]


def test_the_next_round_is_a_button(read_project, pool, admin, api):
    answer = api(admin).post("/api/v1/rounds/", {"project": str(read_project.pk)})
    assert answer.status_code == 202
    run_queued()
    assert Job.objects.get(pk=answer.json()["job"]).result["exams"] == 5


def test_the_strip_counts_and_says_what_is_needed(snapshot, pool, admin, reader, api):
    address = f"/api/v1/projects/{snapshot.project_id}/loop/"
    strip = api(admin).get(address).json()
    assert (strip["images"]["exams"], strip["read"]["complete"], strip["read"]["waiting"]) == (11, 6, 5)
    assert strip["snapshot"] == {
        "latest": {"id": str(snapshot.pk), "number": 1, "frozen_at": strip["snapshot"]["latest"]["frozen_at"]},
        "new_exams": 0, "new_findings": 0,
    }  # fmt: skip
    assert [need["what"] for need in strip["needs"]] == ["read", "run"]
    assert [need["what"] for need in api(reader).get(address).json()["needs"]] == ["read"]


ADDRESSES = {
    # address: answers for a stranger (no account), another project's, reader, adjudicator, researcher, admin
    "methods/": (401, 200, 200, 200, 200, 200),
    "methods/?snapshot={snapshot}": (401, 404, 404, 404, 200, 200),
    "runs/?project={project}": (401, 404, 403, 403, 200, 200),
    "runs/{run}/": (401, 404, 404, 404, 200, 200),
    "runs/{run}/events/": (401, 404, 404, 404, 200, 200),
    "runs/{run}/folder/": (401, 404, 404, 404, 200, 200),
    "models/?project={project}": (401, 404, 403, 403, 200, 200),
    "models/{version}/": (401, 404, 404, 404, 200, 200),
    "models/{version}/predictions/?exam={exam}": (401, 404, 404, 404, 404, 200),
    "scores/?model={version}": (401, 404, 404, 404, 404, 200),
    "rounds/?project={project}": (401, 404, 403, 403, 403, 200),
    "rounds/{round}/": (401, 404, 404, 404, 404, 200),
    "projects/{project}/loop/": (401, 404, 200, 200, 200, 200),
}
DEEDS = {
    "runs/": ({"snapshot": "{snapshot}", "method": "dcse_resnet50"}, (401, 404, 404, 404, 403, 201)),
    "runs/{run}/cancel/": ({}, (401, 404, 404, 404, 403, 409)),
    "models/{version}/promote/": ({}, (401, 404, 404, 404, 403, 200)),
    "models/{version}/retire/": ({}, (401, 404, 404, 404, 403, 200)),
    "rounds/": ({"project": "{project}"}, (401, 404, 403, 403, 403, 202)),
}


@pytest.mark.trap(59)
@pytest.mark.trap(25)
def test_who_may_see_and_do_what(density_version, drawn, snapshot, member, api):
    ids = {
        "project": snapshot.project_id, "snapshot": snapshot.pk, "run": density_version.run_id,
        "version": density_version.pk, "round": drawn.pk, "exam": drawn.items.first().exam_id,
    }  # fmt: skip
    people = [None, create_user(username="stranger", password=None, by=None)]
    people += [member(role.value, role) for role in (Role.READER, Role.ADJUDICATOR, Role.RESEARCHER, Role.ADMIN)]

    def filled(value):
        return value.format(**ids) if isinstance(value, str) else {k: filled(v) for k, v in value.items()}

    seen = {a: tuple(api(p).get("/api/v1/" + filled(a)).status_code for p in people) for a in ADDRESSES}
    assert seen == ADDRESSES
    done = {
        address: (body, tuple(api(p).post("/api/v1/" + filled(address), filled(body)).status_code for p in people))
        for address, (body, _) in DEEDS.items()
    }
    assert done == DEEDS


def test_predictions_are_served_to_an_administrator_as_they_were_stored(density_version, drawn, admin, api):
    exam = drawn.items.first().exam_id
    about = {"level": "image", "kind": "box", "patient_id": "p", "exam_id": str(exam), "image_id": str(exam)}
    about |= {"laterality": "R", "target": "mass", "member": -1, "split": "pool", "model_version": "m"}
    rows = [{**about, "score": 0.5, "x0": 1.0000000001, "y0": 0.0, "x1": 9.5, "y1": 9.0, "entropy": 0.6}]
    Prediction.objects.create(version=density_version, exam_id=exam, unit=str(exam), split="pool", rows=rows)
    [found] = api(admin).get(f"/api/v1/models/{density_version.pk}/predictions/", {"exam": str(exam)}).json()
    assert found["rows"] == rows


def test_only_one_version_of_a_task_is_promoted_whatever_code_runs(density_version, snapshot, admin, var_dir):
    from django.db import IntegrityError, transaction

    second = factories.a_version(snapshot, admin, method="dcse_resnet50")
    rows = ModelVersion.objects.filter(pk__in=[density_version.pk, second.pk])
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(state=ModelVersion.State.PROMOTED)


def test_two_versions_are_compared_once_on_the_patients_of_both(snapshot, admin, api, var_dir):
    pytest.importorskip("skimage", reason="a worker that learns compares, with the learner's packages")
    exam = snapshot.items.get(split="test").exam_id
    said = [{**row, "split": "test"} for row in factories.density_rows(exam)]
    first, second = (factories.a_version(snapshot, admin, method="dcse_resnet50", predictions=said) for _ in range(2))
    address = f"/api/v1/models/{first.pk}/compare/{second.pk}/"
    assert api(admin).get(address).status_code == 404
    ordered = api(admin).post(address).json()
    assert (ordered["done"], ordered["rows"]) == (False, [])
    assert api(admin).post(address).json()["id"] == ordered["id"]
    run_queued()
    told = api(admin).get(address).json()
    assert told["done"] and told["patients"]["test"] == 1
    by_name = {row["name"]: row for row in told["rows"] if row["split"] == "test"}
    assert by_name["accuracy"]["value"] == by_name["baseline:other:accuracy"]["value"]
    assert by_name["difference:other:accuracy"]["value"] == 0
    assert told["settings_apart"] == []
    other = factories.a_version(snapshot, admin, method="retinanet_mass")
    refused = api(admin).post(f"/api/v1/models/{first.pk}/compare/{other.pk}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "learning.not_comparable")


def test_a_run_uses_the_machine_as_it_was_told(snapshot, admin, api, var_dir):
    compute = {"precision": "bf16", "gradient_checkpointing": True}
    body = {"snapshot": str(snapshot.pk), "method": "dcse_resnet50", "compute": compute}
    made = api(admin).post("/api/v1/runs/", body)
    assert (made.status_code, made.json()["compute"]) == (201, compute)
    folder = runs.write_folder(Run.objects.get(pk=made.json()["id"]))
    asked = json.loads((folder / "request.json").read_text())["compute"]
    assert (asked["precision"], asked["gradient_checkpointing"], asked["deterministic"]) == ("bf16", True, False)


@pytest.mark.parametrize("compute", [{"precision": "int8"}, {"threads": 900}, {"deterministic": "perhaps"}])
def test_nonsense_about_the_machine_is_refused(snapshot, admin, api, compute):
    body = {"snapshot": str(snapshot.pk), "method": "dcse_resnet50", "compute": compute}
    assert api(admin).post("/api/v1/runs/", body).status_code == 422


def test_figures_of_validation_patients_are_said_to_be_theirs(snapshot, admin, api, var_dir):
    of_val = [{**row, "split": "val"} for row in factories.METRICS]
    version = factories.a_version(snapshot, admin, method="dcse_resnet50", metrics=of_val)
    tested = factories.a_version(snapshot, admin, method="dcse_resnet50")
    listed = api(admin).get(f"/api/v1/models/?project={snapshot.project_id}").json()["results"]
    assert {row["id"]: row["headline_split"] for row in listed} == {str(version.pk): "val", str(tested.pk): "test"}
    rows = api(admin).get(f"/api/v1/runs/?project={snapshot.project_id}").json()["results"]
    assert [row["headline_split"] for row in rows] == ["test", "val"]
    patients = max(row["n_patients"] for row in factories.METRICS if row["series"] == "model")
    assert [row["headline_patients"] for row in [*rows, *listed]] == [patients] * 4


def test_a_headline_without_a_value_says_why(lesion_version, density_version, admin, api):
    lesion_version.headline = {"any:cpm": None}
    lesion_version.metrics = [{**factories.METRICS[1], "reason": "no_marks"}]
    lesion_version.save()
    told = api(admin).get(f"/api/v1/models/{lesion_version.pk}/").json()
    assert (told["headline_split"], told["headline_reason"]) == ("test", "no_marks")
    assert api(admin).get(f"/api/v1/models/{density_version.pk}/").json()["headline_reason"] is None


def test_a_method_tells_what_it_cost_in_a_project_to_those_who_study_it(snapshot, admin, reader, api, own_folders):
    began = timezone.now()
    for number, (seconds, attempts, ram) in enumerate([(60, 1, 900), (100, 1, 1100), (200, 1, None), (5, 2, 9999)]):
        made = factories.a_run(snapshot, admin, seed=number)
        folder = queries.run_folder(made.pk)
        folder.mkdir(parents=True)
        (folder / "environment.json").write_text(json.dumps({"peak_ram_mb": ram, "peak_gpu_mb": None}))
        runs.store_events(made.pk, [{"type": "started", "seq": 1, "attempt": 1, "device": "cpu"}], attempt=1)
        Job.objects.filter(pk=made.job_id).update(
            state=JobState.DONE, attempts=attempts, started_at=began, finished_at=began + timedelta(seconds=seconds)
        )
    factories.a_run(snapshot, admin, method="retinanet_mass")

    def costs(who):
        rows = api(who).get("/api/v1/methods/", {"project": str(snapshot.project_id)}).json()
        return {row["name"]: row["costs"] for row in rows if row["costs"]}

    assert costs(admin) == {
        "dcse_resnet50": [
            {"size": "tiny", "device": "cpu", "runs": 3, "median_seconds": 100.0}
            | {"peak_ram_mb": 1100, "peak_gpu_mb": None}
        ]
    }  # the fourth went on after an end, the other method has not finished
    assert costs(reader) == {}


def test_models_are_listed_by_task_and_by_state(density_version, lesion_version, snapshot, admin, api):
    def listed(**asked):
        asked = {"project": str(snapshot.project_id), **asked}
        return {row["id"] for row in api(admin).get("/api/v1/models/", asked).json()["results"]}

    api(admin).post(f"/api/v1/models/{density_version.pk}/promote/")
    assert listed() == {str(density_version.pk), str(lesion_version.pk)}
    assert listed(state="promoted") == listed(task="density") == {str(density_version.pk)}
    assert listed(state="promoted", task="lesion_detection") == set()
