"""What makes `aunet` itself: skips that are added, two ways up, gates over channels. Figures: methods-17.md 3.5."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ml.methods.aunet import tissue_loss
from ml.methods.spec import Inference
from ml.runs.errors import RunRefused
from ml.runs.manifest import Finding, Mark
from tests.ml.methods.world import settled


def network_of(a_stage, size="tiny", **config):
    torch.manual_seed(0)
    return a_stage("aunet", size, **config)[2].build()


@pytest.mark.parametrize(
    ("size", "channels", "count"), [("large", 3, 75_495_162), ("base", 1, 18_884_414), ("tiny", 1, 1_184_369)]
)
def test_a_size_has_its_parameters(size, channels, count, a_stage):
    with torch.device("meta"):
        network = network_of(a_stage, size)
        assert network.in_channels == channels
        assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(("size", "px", "widths"), [("large", 256, 64), ("base", 256, 32), ("tiny", 96, 8)])
def test_the_map_has_the_size_of_the_image_and_the_levels_their_widths(size, px, widths, a_stage):
    with torch.device("meta"):
        network, x = network_of(a_stage, size), torch.zeros(1, 1, 1, px, px)
        maps = network.coarse(network.fine(x))
        assert [tuple(m.shape[1:]) for m in maps] == [(widths * 2**k, px // 2**k, px // 2**k) for k in range(5)]
        found = network(x)
        assert found["logits"].shape == (1, 2, px, px)
        assert found["embedding"].shape == (1, 16 * widths)


def test_the_dense_map_is_added_to_the_skip_and_not_put_beside_it(a_stage):
    network, seen = network_of(a_stage).eval(), {}
    block = network.up[-1]
    block.register_forward_pre_hook(lambda _, inputs: seen.update(skip=inputs[1]))
    block.shuffle.register_forward_hook(lambda *call: seen.update(dense=call[2]))
    block.smooth.register_forward_pre_hook(lambda _, inputs: seen.update(smooth=inputs[0]))
    network(torch.rand(1, 1, 1, 96, 96))
    torch.testing.assert_close(seen["smooth"], seen["skip"] + seen["dense"], rtol=0, atol=0)


@pytest.mark.parametrize("path", ["dense", "bilinear"])
def test_both_ways_up_matter_and_learn(path, a_stage):
    network, x = network_of(a_stage).eval(), torch.rand(2, 1, 1, 96, 96)
    before = network(x)["logits"]
    before.square().sum().backward()
    for block in network.up:
        assert all(p.grad.abs().sum() > 0 for p in getattr(block, path).parameters())
    handles = [getattr(block, path).register_forward_hook(lambda *call: call[2] * 0) for block in network.up]
    assert (network(x)["logits"] - before).abs().max() > 1e-4
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(network(x)["logits"], before)


def test_each_gate_weighs_all_channels_by_what_the_image_shows(a_stage):
    network, gates = network_of(a_stage).eval(), []
    for block in network.up:
        block.gate.squeeze.register_forward_pre_hook(lambda _, inputs: gates.append(inputs[0]))
    images = torch.rand(2, 1, 1, 96, 96)
    network(images * torch.tensor([1.0, 0.2]).reshape(2, 1, 1, 1, 1))
    for block, summary, channels in zip(network.up, list(gates), (128, 64, 32, 16), strict=True):
        gate = block.gate.gate_of(summary)
        assert gate.shape == (2, channels)
        assert ((gate > 0) & (gate < 1)).all()
        assert (gate[0] - gate[1]).abs().max() > 1e-4


def test_a_network_without_gates_is_another_one(a_stage):
    network, x = network_of(a_stage).eval(), torch.rand(1, 1, 1, 96, 96)
    before = network(x)["logits"]
    for block in network.up:
        block.gate = nn.Identity()
    assert (network(x)["logits"] - before).abs().max() > 1e-4


def test_an_image_without_a_mark_teaches_cross_entropy_alone(a_setup):
    setup = a_setup("aunet")
    batch = setup.batch(n=2)
    batch = replace(batch, targets={**batch.targets, "mask": torch.zeros_like(batch.targets["mask"])})
    parts = setup.stages[0].loss({"logits": torch.randn(2, 2, 96, 96)}, batch)
    assert float(parts["dice"]) == 0
    assert float(parts["cross_entropy"]) > 0.5


def test_boxes_are_the_parts_of_the_map(a_setup):
    """A network that says "bright is lesion" finds the disc of the small world as its one box."""
    setup = a_setup("aunet", task="lesion_detection")
    network = setup.stages[0].build().eval()
    network.decode = lambda maps: torch.stack([bright * 0, bright], 1)
    samples, loader = setup.view()
    marked = next(s for s in samples if loader.group(s) == 1)
    batch = loader.collate([loader.item(marked)], torch.device("cpu"))
    bright = 40 * (batch.x[:, 0, 0] - 0.9)
    (said,) = setup.method.predict({"main": network}, batch, setup.config, Inference(aim=setup.aim))
    ys, xs = np.nonzero(batch.targets["mask"][0].numpy())
    wanted = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert len(said.boxes) == 1 and float(said.scores[0]) > 0.5
    np.testing.assert_allclose(said.boxes[0].numpy(), wanted, atol=3)


def test_as_a_detector_it_has_one_type_of_finding(a_setup):
    with pytest.raises(RunRefused, match="one type of finding"):
        a_setup("aunet", task="lesion_detection", findings=("mass", "calcification"))


def test_tissues_are_learned_as_more_classes(world):
    rows, folder = world
    classes = {"background": 0, "fat": 64, "dense": 128}
    mark = Mark(mark_id="t", kind="label_map", geometry={"path": "tissue.png", "classes": classes})
    mapped = replace(rows[0], findings=(Finding(finding_id="t", type="tissue", marks=(mark,)),))
    setup = settled([mapped, *rows[1:]], folder, "aunet", task="segmentation")
    assert setup.aim.target == "tissue"
    batch = setup.batch(n=1)
    assert set(batch.targets["tissue"].unique().tolist()) == {0, 1, 2}
    network = setup.stages[0].build().eval()
    perfect = 20 * torch.nn.functional.one_hot(batch.targets["tissue"], 4).permute(0, 3, 1, 2).float()
    assert sum(tissue_loss(setup.config)({"logits": perfect}, batch).values()) < 0.01
    (said,) = setup.method.predict({"main": network}, batch, setup.config, Inference(aim=setup.aim))
    assert said.mask.shape == (4, 96, 96)
    torch.testing.assert_close(said.mask.sum(0), torch.ones(96, 96))
