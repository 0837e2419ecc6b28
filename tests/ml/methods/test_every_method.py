"""What every method must hold, whatever it is: found by the registry, so a newcomer is tested by existing."""

import hashlib

import pytest
import torch

from ml.blocks.dropout import pass_masks
from ml.methods import NAMES, catalogue, get
from ml.methods.spec import Inference
from ml.runs.catalogue import read_catalogue
from ml.training.model_folder import ModelSpec, load_model, plain_config, save_model

CASES = [("dcse_resnet50", "single"), ("dcse_resnet50", "four"), ("retinanet_mass", None)]
OPTIONS = {"single": {"views": "single"}, "four": {"views": "four"}, None: {}}
each = pytest.mark.parametrize(("name", "views"), CASES)


def weight_hash(network):
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def trained(stage, method, config, a_batch, seed, steps=10):
    torch.manual_seed(seed)
    network = stage.build().train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for step in range(steps):
        batch = a_batch(method, config, seed=step)
        sum(stage.loss(network(batch.x, batch.valid), batch).values()).backward()
        optimiser.step()
        optimiser.zero_grad()
    return network


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


@each
@pytest.mark.parametrize("n", [1, 2])
def test_outputs_are_finite_in_training_and_in_use(name, views, n, a_stage, a_batch):
    method, config, stage = a_stage(name, **OPTIONS[views])
    network, batch = stage.build(), a_batch(method, config, n=n)
    for mode in (True, False):
        outputs = network.train(mode)(batch.x, batch.valid)
        assert {"logits", "embedding"} <= set(outputs)
        assert all(torch.isfinite(value).all() for value in outputs.values())
        assert outputs["logits"].dtype == torch.float32
        assert outputs["embedding"].shape[0] == n


@each
def test_every_parameter_is_moved_by_the_loss(name, views, a_stage, a_batch):
    method, config, stage = a_stage(name, **OPTIONS[views])
    network = trained(stage, method, config, a_batch, 0, steps=2)  # a branch that starts at zero opens in a step
    moved = {parameter: torch.zeros((), dtype=torch.bool) for parameter in network.parameters()}
    for seed in range(4):
        network.zero_grad()
        batch = a_batch(method, config, seed=seed, n=4)
        sum(stage.loss(network(batch.x, batch.valid), batch).values()).backward()
        for parameter in moved:
            assert parameter.grad is not None
            assert torch.isfinite(parameter.grad).all()
            moved[parameter] |= parameter.grad.abs().sum() > 0
    still = [n for n, p in network.named_parameters() if not moved[p]]
    # At 96 px the coarsest maps of a detector hold no positive anchor, so its last level may rest.
    assert not [name for name in still if not name.startswith("fpn.p7")]


@each
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(name, views, a_stage, a_batch):
    method, config, stage = a_stage(name, **OPTIONS[views])
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        a, b, c = (weight_hash(trained(stage, method, config, a_batch, seed, steps=3)) for seed in (1, 1, 2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert a == b
    assert a != c


@each
def test_what_is_said_of_a_sample_does_not_depend_on_its_company(name, views, a_stage, a_batch):
    method, config, stage = a_stage(name, **OPTIONS[views])
    network, batch = stage.build().eval(), a_batch(method, config, n=3)
    with torch.no_grad():
        together, alone = network(batch.x, batch.valid), network(batch.x[1:2], batch.valid[1:2])
    assert (together["logits"][1:2] - alone["logits"]).abs().max() < 1e-5


@each
def test_dropout_is_the_only_source_of_disagreement_between_passes(name, views, a_stage, a_batch):
    method, config, stage = a_stage(name, **OPTIONS[views])
    network, batch = stage.build().eval(), a_batch(method, config, n=1)
    for p in (0.0, 0.3):
        for module in network.modules():
            if hasattr(module, "held"):
                module.p = p
        inference = Inference(passes=5, masks=pass_masks(network, 5, 0), min_score=0.0, per_finding=20)
        with torch.no_grad():
            (said,) = method.predict(network, batch.x, batch.valid, config, inference)
        spread = said.samples.var(0).max()
        assert (spread > 1e-10) == (p > 0)


@each
def test_a_saved_model_answers_bit_for_bit_the_same(name, views, a_stage, a_batch, tmp_path):
    method, config, stage = a_stage(name, **OPTIONS[views])
    torch.manual_seed(0)
    network, batch = stage.build().eval(), a_batch(method, config, n=1)
    spec = ModelSpec(
        method=name, size="tiny", task=method.task, config=plain_config(config), pixels={}, labels=method.labels(())
    )
    save_model(tmp_path / "model", spec, {"main": network.state_dict()}, {}, "")
    again = load_model(tmp_path / "model").network
    with torch.no_grad():
        assert torch.equal(network(batch.x, batch.valid)["logits"], again(batch.x, batch.valid)["logits"])
