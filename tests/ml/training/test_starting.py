"""Starting from an earlier version: what is loaded, how long it goes on, and when it is refused."""

import json
from dataclasses import replace

import pytest
import torch

from ml.blocks.backbones import backbone
from ml.methods import get
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.manifest import DENSITY_LABELS
from ml.runs.request import USUAL_KINDS, Init, Request
from ml.training.lent import load_lent, require_taker
from ml.training.model_folder import ModelSpec, load_model, plain_config, save_model, trained_on
from ml.training.selection import reduced, usable_rows
from ml.training.starting import Start, find_start, fine_tuned, frozen_steps, load_start, planned_steps

REQUEST = Request(run_id="r", method="dcse_resnet50", init=Init(kind="model_dir", path="init/model"))


@pytest.fixture
def donor(tmp_path, settle):
    def make(rows, earlier=(), **config):
        method, settled, _, _, (stage,) = settle("dcse_resnet50", rows, views="single", **config)
        network = stage.build()
        spec = ModelSpec(
            method=method.name, size="tiny", task=method.task, config=plain_config(settled), pixels={},
            labels=DENSITY_LABELS, trained_on=trained_on(rows, snapshot_id=None, manifest_sha256=""),
            earlier=earlier,
        )  # fmt: skip
        (tmp_path / "init").mkdir(exist_ok=True)
        save_model(tmp_path / "init" / "model", spec, {"main": network.state_dict()}, {}, "")
        return network, stage

    return make


def start_of(tmp_path, rows, request=REQUEST, name="dcse_resnet50"):
    method = get(name)
    return find_start(request, tmp_path, method, DENSITY_LABELS, rows)


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
    assert fine_tuned(stage, report)
    assert 0 < frozen_steps(120, 100, stage) <= 12
    assert frozen_steps(120, 100, replace(stage, head_prefixes=())) == 0


def test_another_size_lends_its_trunk_only_if_it_fits(donor, a_row, tmp_path, settle):
    rows = [a_row(0, density="A")]
    donor(rows)
    start = start_of(tmp_path, rows, replace(REQUEST, size="base"))
    assert not start.continued
    *_, (stage,) = settle("dcse_resnet50", rows, size="base", views="single")
    with pytest.raises(RunRefused) as error:
        load_start(stage.build(), stage, start)
    assert error.value.code == "init_mismatch"


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("frozen_mil", ["heads"]),
        ("unet_classifier", ["segment"]),
        ("screening_ensemble", ["lesion_classifier", "breast", "case"]),
    ],
)
def test_a_stage_without_a_trunk_takes_nothing_from_a_donor_and_is_not_trained_as_if_it_had(settle, name, without):
    *_, stages = settle(name)
    spec = ModelSpec(method="simsiam", size="tiny", task="pretrain", config={}, pixels={}, labels=())
    start = Start(spec, {"pretrain": {"trunk.conv1.weight": torch.zeros(1)}})
    assert set(without) <= {stage.name for stage in stages}
    for stage in (stage for stage in stages if stage.name in without):
        network = stage.build()
        before = {key: value.clone() for key, value in network.state_dict().items()}
        report = load_start(network, stage, start)
        assert report == {"init": "scratch", "model_dir": "the network has no trunk"}
        assert not fine_tuned(stage, report)
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("before", "now"),
    [("train", "test"), ("train", "audit"), ("val", "test"), ("val", "audit"), ("test", "train"), ("test", "val")],
)
def test_a_donor_that_knows_our_test_patients_is_refused(donor, a_row, tmp_path, before, now):
    donor([a_row(0, density="A"), a_row(1, split=before, density="B")])
    with pytest.raises(RunRefused) as error:
        start_of(tmp_path, [a_row(0, density="A"), a_row(1, split=now, density="B")])
    assert (error.value.exit, error.value.code) == (Exit.DATA_REFUSED, "leakage_donor")


@pytest.mark.parametrize(("before", "now"), [("train", "test"), ("val", "audit"), ("test", "train")])
def test_what_a_donor_goes_back_to_counts_as_what_it_saw(donor, a_row, tmp_path, before, now):
    """A saw p1; B went on from A without it; C from B may not be tested on it."""
    donor([a_row(0, density="A"), a_row(1, split=before, density="B")])
    ours = [a_row(0, density="A"), a_row(2, split="test", density="B")]
    start = start_of(tmp_path, ours)
    donor(ours, earlier=start.donor.lineage())
    start_of(tmp_path, ours)
    with pytest.raises(RunRefused) as error:
        start_of(tmp_path, [*ours, a_row(1, split=now, density="B")])
    assert (error.value.exit, error.value.code) == (Exit.DATA_REFUSED, "leakage_donor")


def test_a_folder_that_knows_neither_ancestors_nor_validation_patients_is_still_read(donor, a_row, tmp_path):
    donor([a_row(0, density="A"), a_row(1, split="val", density="B")])
    path = tmp_path / "init" / "model" / "spec.json"
    spec = json.loads(path.read_text())
    del spec["earlier"], spec["init"], spec["trained_on"]["val_patients"]
    path.write_text(json.dumps(spec))
    (itself,) = start_of(tmp_path, [a_row(0, density="A"), a_row(1, split="test", density="B")]).donor.lineage()
    assert (itself.init, itself.trained_on.val_patients, len(itself.trained_on.train_patients)) == (None, (), 1)
    load_model(tmp_path / "init" / "model")


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
    kept = usable_rows(rows, lambda code, text, example: told.append(code), USUAL_KINDS)
    assert [row.image_id for row in kept] == ["i1"]
    assert told == ["image_kind_left_out", "presentation_left_out"]


def test_processing_images_alone_are_learned_from(a_row):
    rows = [a_row(0, presentation="for_processing"), a_row(1, split="test", presentation="for_presentation")]
    assert [row.image_id for row in usable_rows(rows, lambda *_: None, USUAL_KINDS)] == ["i0"]


def test_a_share_of_the_training_patients_leaves_the_others_whole(a_row):
    rows = [a_row(n, patient_id=f"p{n // 2}", split="train" if n < 16 else "test") for n in range(20)]
    kept = reduced(rows, replace(REQUEST.data, train_fraction=0.5), seed=0)
    assert sum(row.split == "train" for row in kept) == 8
    assert sum(row.split == "test" for row in kept) == 4
    assert reduced(rows, REQUEST.data, seed=0) == rows


def weights_file(folder, name="tiny_resnet_bottleneck", **options):
    """A colour network's file, as a trainer of another house would leave it."""
    (folder / "init").mkdir(exist_ok=True)
    torch.manual_seed(7)
    donor = backbone(name, in_channels=3, classes=1000, **options)
    torch.save({"state_dict": {f"module.{k}": v for k, v in donor.state_dict().items()}}, folder / "init" / "w.pth")
    return donor


def from_file(tmp_path, **init):
    request = replace(REQUEST, init=Init(kind="weights_file", path="init/w.pth", **init))
    return start_of(tmp_path, [], request)


@pytest.fixture
def single_view(settle):
    def make():
        *_, (stage,) = settle("dcse_resnet50", views="single")
        return stage.build(), stage

    return make


def test_a_weights_file_fills_the_trunk_for_the_input_that_the_network_norms(tmp_path, single_view):
    donor = weights_file(tmp_path)
    network, stage = single_view()
    start = from_file(tmp_path)
    report = load_start(network, stage, start)
    assert (report["init"], report["family"], report["layout"], report["share"]) == (
        "weights_file", "resnet", "torchvision", 1.0,
    )  # fmt: skip
    assert (report["missing"], report["dropped"]) == ([], ["fc.bias", "fc.weight"])
    assert report["stem"] == "grey for (x - 0.5) / 0.5"
    assert len(report["fresh"]) == 20, "the gates are this method's own"
    assert torch.equal(network.trunk.layer4[0].conv3.weight, donor.layer4[0].conv3.weight)
    json.dumps(report, allow_nan=False)
    assert fine_tuned(stage, report)
    assert not fine_tuned(replace(stage, lr_factors={"trunk.": 0.1}), report)
    assert planned_steps(stage, 100, start) == stage.steps


def test_a_file_with_another_hash_or_of_another_shape_is_refused(tmp_path, single_view):
    weights_file(tmp_path)
    with pytest.raises(RunRefused) as error:
        from_file(tmp_path, sha256="0" * 64)
    assert error.value.code == "model_changed"
    weights_file(tmp_path, "tiny_resnet_basic")
    network, stage = single_view()
    with pytest.raises(RunRefused) as error:
        load_start(network, stage, from_file(tmp_path))
    assert (error.value.exit, error.value.code) == (Exit.INVALID_REQUEST, "weights_incomplete")


def test_a_file_that_no_stage_can_use_is_refused_and_one_that_another_stage_uses_is_not(tmp_path, single_view):
    weights_file(tmp_path, "tiny_vgg16")
    lent = from_file(tmp_path).lent
    network, stage = single_view()
    with pytest.raises(RunRefused) as error:
        require_taker([(stage.name, network), ("segment", torch.nn.Conv2d(1, 1, 1))], lent)
    assert error.value.code == "init_mismatch"
    taker = torch.nn.Module()
    taker.trunk = backbone("tiny_vgg16")
    require_taker([(stage.name, network), ("classify", taker)], lent)
    report = load_lent(network, stage.name, lent)
    assert report == {
        "init": "scratch", "weights_file": "the file is of the family vgg16, the trunk of resnet",
    }  # fmt: skip
    assert not fine_tuned(stage, report)
