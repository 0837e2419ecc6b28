"""What makes `convnext_breast` itself: its blocks, and one attention over two views. Figures: methods.md 3.19."""

import pytest
import torch
from torch import nn

from ml.blocks.convnext_block import ConvNeXtBlock
from ml.methods.convnext_breast import ConvNeXtBreast, rates
from ml.methods.spec import Inference
from ml.training.optimisers import make_optimisers


@pytest.fixture
def net(a_setup):
    torch.manual_seed(5)
    network = ConvNeXtBreast(a_setup("convnext_breast").config).eval()
    for block in network.modules():
        if isinstance(block, ConvNeXtBlock):
            nn.init.constant_(block.layer_scale, 0.5)  # at 1e-6 a trunk from scratch says next to nothing
    return network


@pytest.mark.parametrize(
    ("size", "trunk", "whole"),
    [
        ("large", 27_817_056, 28_014_561),
        ("tiny", 96_848, 113_425),
        # golden numbers of this implementation
        ("base", 7_051_824, 7_150_641),
    ],
)
def test_a_size_has_its_parameters(size, trunk, whole, a_setup):
    with torch.device("meta"):
        network = a_setup("convnext_breast", size).stages[0].build()
        assert sum(p.numel() for p in network.trunk.parameters()) == trunk
        assert sum(p.numel() for p in network.parameters()) == whole


def test_the_large_network_reads_both_views_to_48_by_24_cells(a_setup):
    with torch.device("meta"):
        network = a_setup("convnext_breast", "large").stages[0].build()
        out = network(torch.zeros(1, 2, 1, 1536, 768), torch.ones(1, 2, dtype=torch.bool))
        assert out["attention"].shape == (1, 2, 48, 24)
        assert (out["logits"].shape, out["embedding"].shape) == ((1, 2), (1, 768))


def test_a_block_is_the_identity_at_layer_scale_zero(net):
    x = torch.randn(2, 16, 9, 9)
    block = net.trunk.features[1][0]
    assert (block(x) - x).abs().max() > 1e-3
    nn.init.zeros_(block.layer_scale)
    assert torch.equal(block(x), x)


def test_the_7_by_7_convolution_is_depthwise(net):
    conv, x = net.trunk.features[1][0].block[0], torch.randn(1, 16, 9, 9)
    other = x.clone()
    other[:, 3] = 0
    changed = (conv(x) != conv(other)).flatten(2).any(2)[0]
    assert changed.nonzero()[:, 0].tolist() == [3]


def test_attention_over_both_views_sums_to_one_and_each_view_counts(net):
    x, both = torch.rand(2, 2, 1, 128, 64), torch.ones(2, 2, dtype=torch.bool)
    before = net(x, both)
    torch.testing.assert_close(before["attention"].sum((1, 2, 3)), torch.ones(2))
    assert (before["attention"].sum((2, 3)) > 0).all()
    for view in range(2):
        other = x.clone()
        other[:, view] = 1 - other[:, view]
        assert ((net(other, both)["logits"] - before["logits"])[:, 1].abs() > 1e-6).all()


def test_a_missing_view_is_not_looked_at_whatever_stands_in_for_it(net):
    x, one = torch.rand(1, 2, 1, 128, 64), torch.tensor([[True, False]])
    out = net(x, one)
    assert out["attention"][:, 1].sum() == 0
    torch.testing.assert_close(out["attention"][:, 0].sum(), torch.tensor(1.0))
    x[:, 1] = torch.rand(1, 1, 128, 64)
    torch.testing.assert_close(net(x, one)["logits"], out["logits"])


def test_a_breast_with_one_view_is_answered(a_setup, net):
    setup = a_setup("convnext_breast")
    setup.rows = [row for row in setup.rows if row.image_id != "p9-R-MLO"]
    samples, loader = setup.view(split="test")
    batch = loader.collate([loader.item(s) for s in samples if s.id == "e9/R"], torch.device("cpu"))
    assert batch.view_mask.tolist() == [[True, False]]
    with torch.no_grad():
        (said,) = setup.method.predict({"main": net}, batch, setup.config, Inference(aim=setup.aim))
    assert said.values == pytest.approx({"attention_CC": 1.0, "attention_MLO": 0.0})


def test_rates_fall_towards_the_stem_and_layer_scales_do_not_decay(a_setup):
    setup = a_setup("convnext_breast")
    (stage,) = setup.stages
    network = stage.build()
    names = {id(p): name for name, p in network.named_parameters()}
    groups = make_optimisers(network, stage)[""].param_groups
    found = {names[id(p)]: (group["lr_factor"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert found["head.weight"] == (1.0, 0.05)
    assert found["trunk.features.5.0.block.0.weight"] == (pytest.approx(0.8), 0.05)
    assert found["trunk.features.1.0.layer_scale"] == (pytest.approx(0.8**3), 0.0)
    assert found["trunk.features.0.0.weight"] == (pytest.approx(0.8**4), 0.05)
    assert len(rates(setup.config)) == 7  # the stem, five layers of three stages, the last norm
