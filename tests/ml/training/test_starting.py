"""Starting from an earlier version: what is loaded, how long it goes on, and when it is refused."""

from dataclasses import replace

import pytest
import torch

from ml.methods import get
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.request import Init, Request
from ml.training.model_folder import ModelSpec, load_model, plain_config, save_model, trained_on
from ml.training.selection import reduced, usable_rows
from ml.training.starting import find_start, frozen_steps, load_start, planned_steps

REQUEST = Request(run_id="r", method="dcse_resnet50", init=Init(kind="model_dir", path="init/model"))


@pytest.fixture
def donor(tmp_path):
    def make(rows, **config):
        method = get("dcse_resnet50")
        settled = method.plan(method.configured("tiny", {"views": "single", **config}), rows)
        (stage,) = method.stages(settled, method.labels(()))
        network = stage.build()
        spec = ModelSpec(
            method=method.name, size="tiny", task=method.task, config=plain_config(settled), pixels={},
            labels=method.labels(()), trained_on=trained_on(rows, snapshot_id=None, manifest_sha256=""),
        )  # fmt: skip
        (tmp_path / "init").mkdir(exist_ok=True)
        save_model(tmp_path / "init" / "model", spec, {"main": network.state_dict()}, {}, "")
        return network, stage

    return make


def start_of(tmp_path, rows, request=REQUEST, name="dcse_resnet50"):
    method = get(name)
    return find_start(request, tmp_path, method, method.labels(()), rows)


def test_an_earlier_version_goes_on_with_all_its_weights_and_half_the_steps(donor, a_row, tmp_path):
    rows = [a_row(0, density="A"), a_row(1, split="test", density="B")]
    network, stage = donor(rows)
    start = start_of(tmp_path, rows)
    fresh = stage.build()
    report = load_start(fresh, stage, start)
    assert (start.continued, report["init"], report["share"]) == (True, "continued", 1.0)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), fresh.state_dict().values(), strict=True)
    )
    assert planned_steps(stage, 100, start) == stage.steps // 2
    assert 0 < frozen_steps(120, 100, stage, start) <= 12


def test_another_size_lends_its_trunk_only_if_it_fits(donor, a_row, tmp_path):
    rows = [a_row(0, density="A")]
    donor(rows)
    start = start_of(tmp_path, rows, replace(REQUEST, size="base"))
    assert not start.continued
    method = get("dcse_resnet50")
    (stage,) = method.stages(method.configured("base", {"views": "single"}), method.labels(()))
    with pytest.raises(RunRefused) as error:
        load_start(stage.build(), stage, start)
    assert error.value.code == "init_mismatch"


@pytest.mark.parametrize(("before", "now"), [("train", "test"), ("train", "audit"), ("test", "train"), ("test", "val")])
def test_a_donor_that_knows_our_test_patients_is_refused(donor, a_row, tmp_path, before, now):
    donor([a_row(0, density="A"), a_row(1, split=before, density="B")])
    with pytest.raises(RunRefused) as error:
        start_of(tmp_path, [a_row(0, density="A"), a_row(1, split=now, density="B")])
    assert (error.value.exit, error.value.code) == (Exit.DATA_REFUSED, "leakage_donor")


def test_changed_weights_are_refused(donor, a_row, tmp_path):
    donor([a_row(0, density="A")])
    with (tmp_path / "init" / "model" / "weights.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunRefused) as error:
        load_model(tmp_path / "init" / "model")
    assert error.value.code == "model_changed"


def test_processing_and_presentation_images_are_never_mixed(a_row):
    rows = [a_row(0, presentation="for_processing"), a_row(1, presentation="for_presentation"), a_row(2, split="test",
            presentation="for_processing"), a_row(3, image_kind="subtracted")]  # fmt: skip
    told = []
    kept = usable_rows(rows, lambda code, text, example: told.append(code))
    assert [row.image_id for row in kept] == ["i1"]
    assert told == ["image_kind_left_out", "presentation_left_out"]


def test_processing_images_alone_are_learned_from(a_row):
    rows = [a_row(0, presentation="for_processing"), a_row(1, split="test", presentation="for_presentation")]
    assert [row.image_id for row in usable_rows(rows, lambda *_: None)] == ["i0"]


def test_a_share_of_the_training_patients_leaves_the_others_whole(a_row):
    rows = [a_row(n, patient_id=f"p{n // 2}", split="train" if n < 16 else "test") for n in range(20)]
    kept = reduced(rows, replace(REQUEST.data, train_fraction=0.5), seed=0)
    assert sum(row.split == "train" for row in kept) == 8
    assert sum(row.split == "test" for row in kept) == 4
    assert reduced(rows, REQUEST.data, seed=0) == rows
