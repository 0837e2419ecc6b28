"""What every method must hold, whatever it is: found by the registry, so a newcomer is tested by existing."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.blocks.dropout import HeldDropout, pass_masks
from ml.methods import NAMES, catalogue, get
from ml.methods.spec import Inference
from ml.runs.catalogue import read_catalogue
from ml.training.loop import forward_of
from ml.training.model_folder import load_model
from ml.training.optimisers import trainable
from tests.ml.methods.world import CPU, Setup, asked

CASES = [(name, entry.task) for name in NAMES for entry in get(name).serves]
each = pytest.mark.parametrize(("name", "task"), CASES)


def weight_hash(network):
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def gradient_stages(setup):
    return [stage for stage in setup.stages if stage.kind == "torch" and stage.loss is not None]


def loss_of(stage, modules, batch):
    return sum(stage.loss(forward_of(stage, modules, batch), batch).values())


def stepped(setup, stage, seed, steps):
    """The stage's network after some steps from a seed."""
    torch.manual_seed(seed)
    modules = setup.modules()
    network = modules[stage.name].train()
    moving = [parameter for _, parameter in trainable(network, stage)]
    optimiser = torch.optim.AdamW(moving, 1e-3)
    for step in range(steps):
        loss_of(stage, modules, setup.batch(n=4, seed=step, reads=stage.reads)).backward()
        optimiser.step()
        optimiser.zero_grad()
    return modules


def test_the_registry_has_no_doubles_and_names_the_records():
    assert len(set(NAMES)) == len(NAMES)
    assert [get(name).name for name in NAMES] == list(NAMES)


def test_the_committed_catalogue_is_current():
    assert list(read_catalogue()) == catalogue(), "run: python -m ml list --write"


@pytest.mark.parametrize("name", NAMES)
def test_a_method_lists_tiny_and_large_and_refuses_what_it_does_not_know(name):
    method = get(name)
    assert {"tiny", "large"} <= set(method.sizes) == set(method.defaults)
    with pytest.raises(TypeError, match="has no option 'sped'"):
        method.configured("tiny", {"sped": 1})
    with pytest.raises(KeyError):
        method.configured("huge", {})


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_of_every_size_can_be_built_and_named(name, a_setup):
    with torch.device("meta"):
        for size in get(name).sizes:
            stages = a_setup(name, size).stages
            assert len({stage.name for stage in stages}) == len(stages)
            assert not any("." in stage.name for stage in stages)  # keys of weights are <stage>.<rest>
            for stage in stages:
                assert sum(1 for _ in trainable(stage.build(), stage)) or stage.kind != "torch"


@each
def test_a_method_goes_the_whole_way(name, task, trained):
    run = trained(name, task)
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert {row["split"] for row in rows} <= {"val", "test"}
    assert rows or task == "lesion_detection"
    assert all(np.isfinite(row[key]) for row in rows for key in ("prob", "score", "value") if row.get(key) is not None)
    probabilities = {}
    for row in rows:
        if row["kind"] == "prob":
            named = ("level", "exam_id", "image_id", "laterality", "finding_id", "x0", "y0")
            unit = tuple(row.get(name) for name in named)
            probabilities.setdefault(unit, []).append(row["prob"])
    assert all(sum(own) == pytest.approx(1, abs=1e-6) for own in probabilities.values())
    assert json.loads((run / "metrics.json").read_text())["metrics"]
    assert json.loads((run / "result.json").read_text())["exit_code"] == 0


@each
def test_a_model_loaded_from_its_folder_says_the_same_and_ranks_what_nobody_read(name, task, trained, world, tmp_path):
    rows, folder = world
    run = trained(name, task)
    model = load_model(run / "model")
    regions = model.method.reads(model.config, model.aim).inputs.unit == "roi"
    # Two views of a test patient are enough of a grid of regions: a thousand samples, and not what training looked at.
    own = [row for row in rows if row.patient_id == "p9"][: 2 if regions else None]
    tested = own if regions else [row for row in rows if row.split in ("val", "test")]
    again = asked(tmp_path / "predict", run, tested, folder, "predict")
    said = [json.loads(line) for line in (again / "predictions.jsonl").read_text().splitlines()]
    before = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]

    def key(row):
        return [(k, v) for k, v in sorted(row.items(), key=str) if k not in ("model_version", "split")]

    if not regions:
        assert sorted(map(str, map(key, said))) == sorted(map(str, map(key, before)))
    pool = [replace(row, split="pool", density=None, findings=(), outcome=None, complete=False) for row in own]
    scored = asked(tmp_path / "score", run, pool, folder, "score")
    parts = [json.loads(line) for line in (scored / "scores.jsonl").read_text().splitlines()]
    assert {part["exam_id"] for part in parts} == {row.exam_id for row in pool}
    assert all(part["value"] is not None and part["value"] >= 0 for part in parts)


@each
def test_every_weight_that_a_stage_may_move_is_moved_and_no_other(name, task, a_setup):
    setup: Setup = a_setup(name, task=task)
    for stage in gradient_stages(setup):
        modules = stepped(setup, stage, 0, steps=2)  # a branch that starts at zero opens in a step
        network = modules[stage.name]
        moving = {own for own, _ in trainable(network, stage)}
        for own, parameter in network.named_parameters():
            parameter.requires_grad_(own in moving)
        moved = dict.fromkeys(moving, False)
        for seed in range(4):
            network.zero_grad()
            loss_of(stage, modules, setup.batch(n=4, seed=seed, reads=stage.reads)).backward()
            for own, parameter in network.named_parameters():
                if own in moving and parameter.grad is not None:
                    assert torch.isfinite(parameter.grad).all(), own
                    moved[own] |= bool(parameter.grad.abs().sum() > 0)
                assert own in moving or parameter.grad is None
        # On small images the coarsest maps of a detector hold no positive anchor, so its last level may rest.
        assert not [own for own, was in moved.items() if not was and "fpn.p7" not in own], stage.name


@each
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name, task, a_setup):
    setup = a_setup(name, task=task)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        for stage in gradient_stages(setup):
            a, b, c = (weight_hash(stepped(setup, stage, seed, 2)[stage.name]) for seed in (1, 1, 2))
            assert a == b, stage.name
            assert a != c, stage.name
    finally:
        torch.use_deterministic_algorithms(False)


def flat(prediction):
    named = vars(prediction)
    return {key: value.float() for key, value in named.items() if isinstance(value, torch.Tensor)}


@each
def test_what_is_said_of_a_sample_does_not_depend_on_its_company(name, task, trained, a_setup):
    model = load_model(trained(name, task) / "model")
    batch_of = a_setup(name, task=task).view(split="test")
    samples, loader = batch_of[0][:3], batch_of[1]
    inference = Inference(aim=model.aim)
    with torch.no_grad():
        items = [loader.item(sample) for sample in samples]
        same = [item for item in items if item.x[0].shape == items[0].x[0].shape]
        together = model.method.predict(
            model.modules, loader.collate(same, torch.device("cpu")), model.config, inference
        )
        alone = model.method.predict(
            model.modules, loader.collate(same[:1], torch.device("cpu")), model.config, inference
        )
    for key, value in flat(alone[0]).items():
        torch.testing.assert_close(flat(together[0])[key], value, atol=1e-4, rtol=1e-4)


@each
def test_dropout_is_the_only_source_of_disagreement_between_passes(name, task, trained, a_setup):
    model = load_model(trained(name, task) / "model")
    layers = [
        layer for module in model.modules.values() for layer in module.modules() if isinstance(layer, HeldDropout)
    ]
    if model.method.unsure_by != "dropout" or not layers:
        pytest.skip("members that disagree have tests of their own; without either there is the entropy")
    samples, loader = a_setup(name, task=task).view(split="test")
    batch = loader.collate([loader.item(samples[0])], CPU.device)
    for p in (0.0, 0.3):
        for layer in layers:
            layer.p = p
        masks = {stage: pass_masks(module, 5, 0) for stage, module in model.modules.items()}
        inference = Inference(aim=model.aim, passes=5, masks=masks, min_score=0.0, per_finding=20)
        with torch.no_grad():
            (said,) = model.method.predict(model.modules, batch, model.config, inference)
        passes = (said.samples if said.mask_samples is None else said.mask_samples).float()
        if p == 0:
            assert passes.var(0).max() <= 1e-12
        else:  # as logits: near 0 and 1, where untaught networks with a prior are, probabilities hardly move
            assert passes.logit(1e-6).var(0).max() > 1e-12
