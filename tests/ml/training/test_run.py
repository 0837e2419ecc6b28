"""Whole runs on run folders: killed, cancelled, refused, finished. Children where a process must die."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from ml.blocks.backbones import backbone
from ml.runs.events import read_events
from ml.runs.exits import Exit
from ml.runs.folder import RunFolder
from ml.runs.manifest import Density, Finding, ManifestRow, Mark, write_manifest
from ml.runs.request import Compute, EvaluationOptions, Init, Request, write_request
from ml.runs.result import read_result
from ml.training.predicting import Predictor
from ml.training.run import run as run_folder

ROOT = Path(__file__).resolve().parents[3]
PATHS = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "OMP_NUM_THREADS": "1"}

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def a_breast(n: int) -> np.ndarray:
    """Half an ellipse at the left edge, brighter for each density class, with a bright disc in every odd image."""
    rng = np.random.default_rng(n)
    y, x = np.mgrid[:160, :120] + 0.5
    inside = ((y - 80) / 70) ** 2 + (x / 90) ** 2 < 1
    picture = inside * (0.3 + 0.12 * (n % 4) * (x > 40) + 0.05 * rng.random((160, 120)))
    if n % 2:
        picture[np.hypot(x - 40, y - 80) < 12] = 1.0
    return (picture * 4000).astype(np.uint16)


def row(n: int, folder: Path, split: str, **fields) -> ManifestRow:
    path = folder / f"{n}.npy"
    np.save(path, a_breast(n))
    mark = Mark(mark_id=f"m{n}", kind="circle", geometry=[40.0, 80.0, 12.0])
    base = {
        "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}", "laterality": "R", "view": "MLO",
        "rows": 160, "cols": 120, "pixel_path": path.name, "pixel_format": "npy",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "spacing_mm": (1.0, 1.0), "spacing_source": "user",
        "presentation": "for_presentation", "split": split,
        "density": Density(label="ABCD"[n % 4]) if split != "pool" else None,
        "findings": (Finding(finding_id=f"f{n}", type="mass", marks=(mark,)),) if n % 2 and split != "pool" else (),
        "complete": split != "pool",
    }  # fmt: skip
    return ManifestRow(**{**base, **fields})


@pytest.fixture
def a_folder(tmp_path):
    pixels = tmp_path / "pixels"
    pixels.mkdir()

    def make(name, method="dcse_resnet50", command="train", init=None, change=None, device="cpu", **config):
        run = tmp_path / name
        run.mkdir()
        splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 4 + ["pool"] * 4
        rows = [row(n, pixels, split) for n, split in enumerate(splits)]
        write_manifest(run, change(rows) if change else rows, pixels_root=pixels)
        request = Request(
            run_id=name, command=command, method=method, config={"steps": 6, "batch": 4, **config},
            pixels={"cache_dir": str(tmp_path / "cache")}, init=init or Init(),
            evaluation=EvaluationOptions(bootstrap=20),
            compute=Compute(device=device, deterministic=True, checkpoint_seconds=0.0),
        )  # fmt: skip
        write_request(run, request)
        return run

    return make


def start(run: Path, command="train", *extra: str) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "ml", command, str(run), *extra]
    return subprocess.Popen(arguments, env=ENV, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(autouse=True)
def as_before():
    """A run takes the process's signals and torch's switches; here it must give them back."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    torch.use_deterministic_algorithms(False)


def ml(run: Path, command="train") -> int:
    return int(run_folder(run, command=command))


def events_of(run: Path):
    return read_events(run / "events.jsonl")[0]


def wait_for(run: Path, kind: str, child, count=1):
    deadline = time.monotonic() + 60
    while sum(event["type"] == kind for event in events_of(run)) < count:
        assert child.poll() is None, child.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a condition is waited for, not a time


def weights_of(run: Path):
    return load_file(run / "model" / "weights.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_a_run_that_was_killed_resumes_to_the_same_weights_bit_for_bit(a_folder, device):
    straight, killed = (a_folder(name, steps=12, device=device) for name in ("straight", "killed"))
    assert ml(straight) == Exit.FINISHED
    child = start(killed)
    wait_for(killed, "checkpoint", child, count=2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert read_result(killed) is None
    with (killed / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"seq":99,"type":"torn')  # as a full disk or a power cut leaves it
    assert ml(killed) == Exit.FINISHED
    assert same(weights_of(straight), weights_of(killed))
    seen = events_of(killed)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    again = [event for event in seen if event["type"] == "started"]
    assert [event["attempt"] for event in again] == [1, 2]
    assert again[1]["resumed_from"]["stage"] == "main"


def of_unknown_spacing(rows):
    return [replace(row, spacing_mm=None) if row.image_id == "i3" else row for row in rows]


def test_a_finished_run_holds_all_that_a_caller_imports_and_is_not_computed_again(a_folder):
    run = a_folder("run", change=of_unknown_spacing)
    assert ml(run) == Exit.FINISHED
    result = read_result(run)
    assert result is not None
    assert {"model/weights.safetensors", "model/spec.json", "metrics.json", "predictions.jsonl"} <= set(result.files)
    metrics = json.loads((run / "metrics.json").read_text())
    assert {(row["split"], row["target"]) for row in metrics["metrics"]} == {("val", "density"), ("test", "density")}
    predictions = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert {row["split"] for row in predictions} == {"val", "test"}
    assert {row["level"] for row in predictions} == {"image", "exam"}
    environment = json.loads((run / "environment.json").read_text())
    assert environment["code_version"]
    assert environment["stages"]["main"]["init"] == "scratch"
    assert environment["undetermined_operations"] == []
    assert environment["cost"]["seconds"] > 0 and environment["cost"]["attempts"] == 1
    assert environment["peak_ram_mb"] > 50  # torch alone
    kept = json.loads((run / "model" / "card.json").read_text())
    assert kept["weights_sha256"] == result.files["model/weights.safetensors"]
    assert kept["known_failures"] == environment["flagged"]
    assert kept["known_failures"]["spacing_assumed"] == {"images": 1, "of": 18, "share": 0.0556}
    assert environment["warnings"]["spacing_assumed"] == 1 and kept["stages"]["main"]["steps"] > 0
    card = (run / "model" / "card.md").read_text()
    assert "research" in card and "On test patients, whom the model never saw." in card
    assert events_of(run)[-1]["headline_split"] == "test"
    before = len(events_of(run))
    assert ml(run) == Exit.FINISHED
    assert len(events_of(run)) == before


def test_metrics_can_be_computed_again_from_what_was_predicted(a_folder):
    run = a_folder("run")
    assert ml(run) == Exit.FINISHED
    first = json.loads((run / "metrics.json").read_text())["metrics"]
    document = json.loads((run / "request.json").read_text())
    (run / "request.json").write_text(json.dumps({**document, "command": "evaluate"}))
    assert ml(run, "evaluate") == Exit.FINISHED
    again = json.loads((run / "metrics.json").read_text())["metrics"]
    assert [row for row in first if row["series"] == "model"] == [row for row in again if row["series"] == "model"]


def test_predictions_that_are_no_numbers_refuse_an_evaluation(a_folder):
    run = a_folder("run", command="evaluate")
    about = {
        "level": "image",
        "kind": "prob",
        "target": "density",
        "class_index": 0,
        "prob": float("nan"),
        "member": -1,
    }
    rows = [
        {**about, "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}", "split": "test"} for n in (10, 11)
    ]
    (run / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ml(run, "evaluate") == Exit.DATA_REFUSED
    last = events_of(run)[-1]
    assert (last["type"], last["code"], last["exit_code"]) == ("failed", "prediction_not_finite", 3)


def without_validation(rows):
    return [row for row in rows if row.split != "val"]


def test_an_evaluation_without_validation_applies_the_thresholds_of_the_model(a_folder):
    run = a_folder("run", "retinanet_mass", "evaluate", change=without_validation)
    box = {"level": "image", "kind": "box", "target": "mass", "score": 0.6, "x0": 28, "y0": 68, "x1": 52, "y1": 92}
    rows = [{**box, "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}"} for n in (11, 13)]
    (run / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "model").mkdir()
    thresholds = {"false_positives_per_image": 0.3, "split": "val", "score": {"mass": 0.5}}
    (run / "model" / "spec.json").write_text(json.dumps({"thresholds": thresholds}))
    assert ml(run, "evaluate") == Exit.FINISHED
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    told = {row["name"]: row for row in metrics if row["target"] == "mass"}
    assert told["sensitivity"]["value"] == 1.0 and told["sensitivity"]["params"]["threshold"] == 0.5
    assert told["fp_per_image"]["value"] == 0.0


def test_a_training_whose_boxes_are_no_numbers_ends_refused_and_without_a_model(a_folder, monkeypatch):
    def broken(self, prediction):
        return replace(prediction, scores=torch.full_like(prediction.scores, float("nan")))

    monkeypatch.setattr(Predictor, "calibrated", broken)
    run = a_folder("run", "retinanet_mass", steps=2, batch=2)
    assert ml(run) == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "prediction_not_finite"
    assert not (run / "model").exists()


def masked_and_without_the_mask(rows):
    mark = Mark(mark_id="m", kind="mask", geometry={"path": "gone.png"})
    finding = Finding(finding_id="f", type="mass", marks=(mark,))
    return [replace(row, findings=(finding,)) if row.image_id == "i13" else row for row in rows]


def test_a_mask_that_cannot_be_read_refuses_an_evaluation(a_folder):
    run = a_folder("run", "retinanet_mass", "evaluate", change=masked_and_without_the_mask)
    (run / "predictions.jsonl").write_text("")
    assert ml(run, "evaluate") == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "pixels_unreadable"


def unreadable(rows):
    return [replace(row, pixel_path="gone.npy") if row.image_id == "i3" else row for row in rows]


def test_one_image_in_eighteen_that_cannot_be_read_refuses_the_training(a_folder):
    run = a_folder("run", change=unreadable)
    assert ml(run) == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "unreadable_images"


def test_a_version_goes_on_is_scored_and_predicts(a_folder):
    first = a_folder("first", "retinanet_mass", steps=4, batch=2)
    assert ml(first) == Exit.FINISHED

    init = Init(kind="model_dir", path="init/model", version="Model 1")
    for name, command in (("second", "train"), ("scored", "score"), ("predicted", "predict")):
        run = a_folder(name, "retinanet_mass", command, init, steps=4, batch=2)
        (run / "init").mkdir()
        shutil.copytree(first / "model", run / "init" / "model")
        assert ml(run, command) == Exit.FINISHED
    root = first.parent
    stage = json.loads((root / "second" / "environment.json").read_text())["stages"]["main"]
    assert (stage["init"], stage["share"], stage["steps"]) == ("continued", 1.0, 2)
    spec = json.loads((root / "second" / "model" / "spec.json").read_text())
    before = json.loads((first / "model" / "spec.json").read_text())
    assert (spec["init"]["kind"], spec["init"]["sha256"]) == ("model_dir", before["weights_sha256"])
    assert [own["trained_on"] for own in spec["earlier"]] == [before["trained_on"]]
    card = (root / "second" / "model" / "card.md").read_text()
    assert f"from Model 1, weights {before['weights_sha256']} (main continued)" in card
    assert "from scratch (main scratch)" in card
    scores = [json.loads(line) for line in (root / "scored" / "scores.jsonl").read_text().splitlines()]
    assert {row["exam_id"] for row in scores} == {"e14", "e15", "e16", "e17"}
    assert {row["part"] for row in scores} == {"mass", "calcification", "asymmetry", "architectural_distortion"}
    boxes = [json.loads(line) for line in (root / "predicted" / "predictions.jsonl").read_text().splitlines()]
    assert all(0 <= box["x0"] < box["x1"] <= 120 and 0 <= box["y0"] < box["y1"] <= 160 for box in boxes)


@pytest.mark.parametrize(("method", "learned"), [("msdae_density", 12), ("dcse_resnet50", 8)])
def test_the_pool_counts_as_learned_from_where_a_stage_needs_no_labels(a_folder, method, learned):
    run = a_folder("run", method)
    document = json.loads((run / "request.json").read_text())
    document["compute"]["max_steps"], document["config"] = 1, {}
    (run / "request.json").write_text(json.dumps(document))
    assert ml(run) == Exit.FINISHED
    seen = json.loads((run / "model" / "spec.json").read_text())["trained_on"]
    assert (len(seen["train_patients"]), len(seen["val_patients"]), len(seen["test_patients"])) == (learned, 2, 4)


def test_a_cancel_file_ends_a_run_with_a_checkpoint_and_it_can_go_on(a_folder):
    run = a_folder("run", steps=4000)
    child = start(run)
    wait_for(run, "checkpoint", child)
    RunFolder(run).ask_to_cancel("no longer wanted")
    assert child.wait(timeout=60) == Exit.CANCELLED
    last = events_of(run)[-1]
    assert (last["type"], last["reason"], last["resumable"]) == ("cancelled", "no longer wanted", True)
    assert (run / "checkpoints" / "main" / "last" / "checkpoint.json").exists()


@pytest.mark.parametrize("how", ["sigterm", "supervisor gone"])
def test_a_run_that_is_told_to_end_leaves_a_checkpoint(a_folder, how):
    run = a_folder("run", steps=4000)
    child = start(run, "train", *(["--supervised"] if how == "supervisor gone" else []))
    wait_for(run, "stage_started", child)
    if how == "sigterm":
        child.send_signal(signal.SIGTERM)
    else:
        child.stdin.close()
    assert child.wait(timeout=60) == Exit.CANCELLED
    assert events_of(run)[-1]["reason"] == ("SIGTERM" if how == "sigterm" else "supervisor_gone")


def one_patient_twice(rows):
    return [replace(row, patient_id="p0") if row.image_id in ("i0", "i12") else row for row in rows]


def unlabelled(rows):
    return [replace(row, density=None) for row in rows]


def wrong_hash(rows):
    return [replace(row, sha256="0" * 64) if row.image_id == "i3" else row for row in rows]


def wrong_size(rows):
    return [replace(row, rows=161) if row.image_id == "i3" else row for row in rows]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (one_patient_twice, "leakage_patient"),
        (unlabelled, "labels_missing"),
        (wrong_hash, "hash_mismatch"),
        (wrong_size, "size_mismatch"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused_with_the_reason(a_folder, change, code):
    run = a_folder("run", change=change)
    assert ml(run) == Exit.DATA_REFUSED
    last = events_of(run)[-1]
    assert (last["type"], last["code"], last["exit_code"]) == ("failed", code, 3)


def test_an_unknown_option_of_the_method_or_of_the_pixels_is_refused(a_folder):
    assert ml(a_folder("config", speed=3)) == Exit.INVALID_REQUEST
    run = a_folder("contrast")
    document = json.loads((run / "request.json").read_text())
    document["pixels"]["contrast"] = 2
    (run / "request.json").write_text(json.dumps(document))
    assert ml(run) == Exit.INVALID_REQUEST
    assert ml(run, "score") == Exit.INVALID_REQUEST  # the folder asks for train


def test_a_run_that_starts_from_a_weights_file_accounts_for_its_keys_in_the_environment(a_folder):
    terms = {"licence": "research only", "origin": "a shelf"}
    run = a_folder("transfer", init=Init(kind="weights_file", path="init/weights.safetensors", **terms))
    (run / "init").mkdir()
    torch.manual_seed(0)
    save_file(
        backbone("tiny_resnet_bottleneck", in_channels=3, classes=9).state_dict(), run / "init/weights.safetensors"
    )
    assert run_folder(run, command="train") == Exit.FINISHED
    report = json.loads(RunFolder(run).environment.read_text())["stages"]["main"]
    assert (report["init"], report["layout"], report["share"]) == ("weights_file", "torchvision", 1.0)
    assert (report["missing"], report["unexpected"], report["dropped"]) == ([], [], ["fc.bias", "fc.weight"])
    assert report["sha256"] == hashlib.sha256((run / "init/weights.safetensors").read_bytes()).hexdigest()
    began = json.loads((run / "model" / "card.json").read_text())["init"]
    assert began == {"kind": "weights_file", "sha256": report["sha256"], **terms, "version": None,
                     "stages": {"main": "weights_file"}}  # fmt: skip
    assert "licence: research only; origin: a shelf" in (run / "model" / "card.md").read_text()
    assert not [event for event in events_of(run) if event.get("code") == "weights_without_record"]
    (told,) = [event for event in events_of(run) if event["type"] == "weights_loaded"]
    assert (told["stage"], told["share"], told["dropped"]) == ("main", 1.0, report["dropped"])


def test_weights_of_a_model_of_ours_without_its_folder_are_used_with_a_warning(a_folder):
    first = a_folder("first", steps=1)
    assert ml(first) == Exit.FINISHED
    run = a_folder("bare", init=Init(kind="weights_file", path="init/weights.safetensors"), steps=1)
    (run / "init").mkdir()
    shutil.copy(first / "model" / "weights.safetensors", run / "init" / "weights.safetensors")
    assert ml(run) == Exit.FINISHED
    assert [event["code"] for event in events_of(run) if event["type"] == "warning"].count(
        "weights_without_record"
    ) == 1


def test_a_weights_file_of_another_network_ends_the_run_before_it_learns(a_folder):
    run = a_folder("misfit", init=Init(kind="weights_file", path="init/weights.safetensors"))
    (run / "init").mkdir()
    save_file(backbone("tiny_vgg16", classes=9).state_dict(), run / "init/weights.safetensors")
    assert run_folder(run, command="train") == Exit.INVALID_REQUEST
    assert events_of(run)[-1]["code"] == "init_mismatch"


def launch(run: Path, processes: int) -> None:
    """The run by PyTorch's launcher, on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*command, "-m", "ml", "train", str(run)], env=ENV, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_double_batch(a_folder):
    """Norms of groups and no dropout: what depends on the company of an image cannot be the same."""
    alike = {"steps": 4, "batch": 8, "dropout": 0.0, "norm": "gn"}
    alone, both = a_folder("alone", **alike), a_folder("both", **alike)
    assert ml(alone) == Exit.FINISHED
    launch(both, 2)
    one, other = weights_of(alone), weights_of(both)
    assert one.keys() == other.keys()
    apart = np.concatenate([np.abs(one[name] - other[name]).ravel() for name in one])
    # Without the sum of the gradients it would be 1e-3: AdamW makes of a rounding error in a gradient near 0 a step.
    assert apart.mean() < 1e-6 and apart.max() < 1e-3
    # One process wrote: a sequence without a gap, one start, one end, and nothing in a second hand.
    events = events_of(both)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("started") == 1 and events[-1]["type"] == "finished"
    assert {event["type"] for event in events_of(alone)} == {event["type"] for event in events}
    np.testing.assert_allclose(losses_of(alone), losses_of(both), rtol=1e-3)


def losses_of(run: Path):
    return [e["values"]["loss"] for e in events_of(run) if e["type"] == "metric" and e["split"] == "train"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_train_as_one_with_the_double_batch_and_their_norms_see_all_of_it(a_folder):
    alike = {"steps": 4, "batch": 8, "dropout": 0.0, "norm": "bn", "device": "cuda"}
    alone, both = a_folder("alone", **alike), a_folder("both", **alike)
    assert ml(alone) == Exit.FINISHED
    launch(both, 2)
    # Half precision sums in another order; a norm that saw half of the batch would be off by tenths.
    np.testing.assert_allclose(losses_of(alone), losses_of(both), rtol=2e-2)


def test_half_precision_on_a_cpu_learns_and_stays_finite(a_folder):
    run = a_folder("half")
    request = json.loads((run / "request.json").read_text())
    request["compute"]["precision"] = "bf16"
    (run / "request.json").write_text(json.dumps(request))
    assert ml(run) == Exit.FINISHED
    assert json.loads((run / "environment.json").read_text())["precision"] == "bf16"
    assert all(np.isfinite(value).all() and value.dtype != np.float16 for value in weights_of(run).values())
