"""A trunk taught without labels: by every kind, from what may be seen alone, and lent to a run."""

import hashlib
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ml.cli.main import main
from ml.pretraining import NAMES, get
from ml.pretraining.crops import crops, masked_blocks
from ml.pretraining.recipes import apart, spread_of
from ml.pretraining.record import COLLAPSED_BELOW, SPECS, told_steps
from ml.runs.events import read_events
from ml.runs.exits import Exit
from ml.runs.manifest import Density, write_manifest
from ml.runs.request import Compute, EvaluationOptions, Init, Request, write_request
from ml.training.pretraining import AIM
from ml.training.run import run as run_folder
from tests.ml.methods.world import world


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return world(folder), folder


@pytest.fixture
def a_run(tmp_path, rows):
    """A run folder on the world's images; the pool is the last training patient."""
    own, folder = rows
    ours = [replace(row, split="pool", density=None, findings=()) if row.patient_id == "p5" else row for row in own]

    def make(name, method, command="pretrain", *, change=lambda row: row, init=None, max_steps=2, **config):
        run = tmp_path / name
        run.mkdir()
        write_manifest(run, [change(row) for row in ours], pixels_root=folder)
        if command == "pretrain":
            config = {"donee": "dcse_resnet50", "crop_px": 64, "batch": 4, "steps": 2, **config}
        request = Request(
            run_id=name, command=command, method=method, config=config, init=init or Init(),
            pixels={"cache_dir": str(folder / "cache")}, evaluation=EvaluationOptions(bootstrap=20),
            compute=Compute(device="cpu", checkpoint_seconds=0.0, max_steps=max_steps),
        )  # fmt: skip
        write_request(run, request)
        return run

    return make


def weights(run):
    return load_file(run / "model" / "weights.safetensors")


def events(run, kind):
    return [event for event in read_events(run / "events.jsonl")[0] if event["type"] == kind]


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_teaches_a_trunk(kind, a_run):
    run = a_run("taught", kind)
    assert run_folder(run, command="pretrain") == Exit.FINISHED
    assert weights(run) and all(name.startswith("pretrain.trunk.") for name in weights(run))
    spec = json.loads((run / "model" / "spec.json").read_text())
    assert (spec["task"], spec["method"], len(spec["trained_on"]["train_patients"])) == ("pretrain", kind, 6)
    curve = [event["values"] for event in events(run, "metric")]
    assert curve and all(np.isfinite(point["loss"]) and 0 <= point["spread"] <= 1.5 for point in curve)
    assert "not a medical device" in (run / "model" / "card.md").read_text()


def test_neither_labels_nor_images_of_tested_patients_are_seen(a_run, rows):
    """Other labels give the same weights; files of val and test that are not there are not missed."""

    def otherwise(row):
        if row.split in ("val", "test"):
            return replace(row, pixel_path="nowhere.npy")
        return replace(row, density=Density(label="A"), findings=()) if row.split == "train" else row

    one, other = a_run("one", "simsiam"), a_run("other", "simsiam", change=otherwise)
    assert [run_folder(run, command="pretrain") for run in (one, other)] == [Exit.FINISHED] * 2
    assert all(np.array_equal(value, weights(other)[name]) for name, value in weights(one).items())


def lent(a_run, taught, name, change=lambda row: row, **pixels):
    """A training that begins with the taught model, copied into its folder as `init --model` does."""
    init = Init(kind="model_dir", path="init/model")
    run = a_run(name, "dcse_resnet50", "train", change=change, init=init, steps=2, batch=4, **pixels)
    shutil.copytree(taught / "model", run / "init" / "model")
    return run


def test_a_run_begins_with_the_taught_trunk_and_says_so(a_run):
    taught = a_run("taught", "simsiam")
    run_folder(taught, command="pretrain")
    run = lent(a_run, taught, "lent")
    assert run_folder(run, command="train") == Exit.FINISHED
    report = json.loads((run / "environment.json").read_text())["stages"]["main"]
    assert (report["init"], report["share"], report["donor"]["method"]) == ("trunk", 1.0, "simsiam")
    assert not [event for event in events(run, "warning") if event["code"] == "donor_preparation_differs"]


def test_a_donor_whose_images_were_prepared_otherwise_is_a_warning(a_run):
    taught = a_run("taught", "simsiam")
    run_folder(taught, command="pretrain")
    run = lent(a_run, taught, "lent", target_spacing_mm=1.0)
    assert run_folder(run, command="train") == Exit.FINISHED
    (event,) = [event for event in events(run, "warning") if event["code"] == "donor_preparation_differs"]
    assert "target_spacing_mm 0.8 there, 1.0 here" in event["text"]


def test_a_trunk_that_saw_a_patient_unlabelled_may_not_be_tested_on_her(a_run):
    taught = a_run("taught", "simsiam")
    run_folder(taught, command="pretrain")
    run = lent(a_run, taught, "lent", lambda r: replace(r, split="test") if r.split == "pool" else r)
    assert run_folder(run, command="train") == Exit.DATA_REFUSED
    assert events(run, "failed")[0]["code"] == "leakage_donor"


def test_the_slow_network_of_byol_follows_and_is_no_part_of_the_model(a_run):
    run = a_run("taught", "byol")
    run_folder(run, command="pretrain")
    kept = load_file(run / "artefacts" / "pretrain" / "weights.safetensors")
    assert int(kept["seen"]) == 2
    name = next(name for name in kept if name.startswith("slow.trunk.") and name.endswith("conv1.weight"))
    assert np.abs(kept[name] - kept[name.removeprefix("slow.")]).max() > 0  # it is behind
    assert not any("slow" in name for name in weights(run))


def test_the_slow_network_of_byol_comes_to_rest_with_the_last_step_of_a_plan_in_epochs(a_run):
    """Momentum rises from .99 to 1 by the steps that there are: of six images in fours, three in two epochs."""
    run = a_run("taught", "byol", steps=None, epochs=2, max_steps=None)
    run_folder(run, command="pretrain")
    [begun] = events(run, "stage_started")
    kept = load_file(run / "artefacts" / "pretrain" / "weights.safetensors")
    assert int(kept["seen"]) == begun["planned_steps"] > 2
    network = get("byol").stages(get("byol").configured("tiny", {"crop_px": 64}), AIM)[0].build()
    told_steps(network, 100)
    moved = []
    with torch.no_grad():
        for step in (0, 50, 99):
            network.seen.fill_(step)
            before = network.slow["projector"][0].weight.clone()
            network.projector[0].weight.copy_(before + 1)
            network._follow()
            moved.append(float((network.slow["projector"][0].weight - before).mean()))
    assert moved == pytest.approx([0.01, 0.005, 0.01 * (math.cos(math.pi * 0.99) + 1) / 2], rel=1e-3)


def test_the_alarm_tells_one_vector_from_many():
    torch.manual_seed(0)
    many, one = torch.randn(64, 32), torch.randn(1, 32).expand(64, 32)
    assert float(spread_of(many)) == pytest.approx(1.0, abs=0.1)
    assert float(spread_of(one + 0.01 * torch.randn(64, 32))) < COLLAPSED_BELOW
    z = torch.randn(4, 8, requires_grad=True)
    assert apart(many[:4, :8], z).grad_fn is None  # the other side is held still


def test_crops_are_of_the_breast_and_depend_on_the_seed_alone():
    x, breast = torch.zeros(3, 1, 90, 60), torch.zeros(3, 1, 90, 60, dtype=torch.bool)
    x[..., :30], breast[..., :30] = 0.6, True
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(crops(x, breast, 48))
    assert torch.equal(*drawn) and drawn[0].shape == (3, 1, 48, 48)
    assert drawn[0].min() >= 0 and drawn[0].max() <= 1
    plain = [own for _ in range(10) for own in crops(x, breast, 48, toned=False)]
    assert min(float((own > 0).float().mean()) for own in plain) > 0.45
    hidden = masked_blocks(torch.zeros(2, 1, 64, 64), 16, 0.6)
    assert hidden.flatten(1).sum(1).tolist() == [10, 10]


def many(rows, folder):
    """Sixty images whose brightness says their density."""
    made = []
    for n in range(60):
        rng = np.random.default_rng(n)
        y, x = np.mgrid[:96, :72] + 0.5
        inside = (x / 61) ** 2 + ((y - 48) / 43) ** 2 < 1
        pixels = (inside * (0.3 + 0.15 * (n % 4) * (x > 25) + 0.05 * rng.random((96, 72))) * 4000).astype(np.uint16)
        path = folder / f"many-{n}.npy"
        np.save(path, pixels)
        made.append(
            replace(
                rows[1], image_id=f"n{n}", exam_id=f"n{n}", patient_id=f"n{n}", pixel_path=path.name, split="train",
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(), density=Density(label="ABCD"[n % 4]), findings=(),
            )
        )  # fmt: skip
    return made


def test_the_probe_stands_beside_the_untaught_trunk(a_run, rows):
    run = a_run("taught", "simsiam")
    write_manifest(run, many(*rows), pixels_root=rows[1])
    assert run_folder(run, command="pretrain") == Exit.FINISHED
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    gap = next(row for row in metrics if row["name"] == "difference:other:qwk")
    own, untaught = (next(row for row in metrics if row["name"] == n)["value"] for n in ("qwk", "baseline:other:qwk"))
    assert gap["value"] == pytest.approx(own - untaught) and gap["ci"] and gap["probe"] == "density"
    best = json.loads((run / "result.json").read_text())["best"]
    assert best["probe_qwk"] == own and best["probe_qwk_untaught"] == untaught
    assert own > 0.5  # brightness is easy to read from any trunk


def test_the_command_line_asks_whose_trunk_it_is(tmp_path, capsys):
    def asked(*words):
        return main(["init", str(tmp_path / "run"), "--command", "pretrain", *words])

    assert asked() == asked("--for", "alchemy") == asked("--method", "dcse_resnet50", "--for", "dcse_resnet50") == 2
    assert asked("--for", "dcse_resnet50") == 0
    request = json.loads((tmp_path / "run" / "request.json").read_text())
    assert (request["method"], request["config"]["donee"]) == ("simsiam", "dcse_resnet50")
    assert main(["init", str(tmp_path / "other"), "--method", "dcse_resnet50", "--for", "gmic"]) == 2


def test_a_method_without_a_backbone_is_refused(a_run):
    run = a_run("taught", "simsiam", donee="histogram_density")
    assert run_folder(run, command="pretrain") == Exit.INVALID_REQUEST
    assert events(run, "failed")[0]["code"] == "init_mismatch"


def test_the_kinds_are_records_and_none_is_a_method():
    from ml.methods import NAMES as METHODS

    assert set(SPECS) == set(NAMES) and not set(NAMES) & set(METHODS)
    assert all(get(name).task == "pretrain" for name in NAMES)
