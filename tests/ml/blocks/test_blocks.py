"""Parameter counts of the shared blocks (methods.md 4.2, 4.3) and what each block promises."""

import math

import pytest
import torch
from torch import nn

from ml.blocks.channel_gate import ChannelGate
from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.dropout import HeldDropout, held, pass_masks
from ml.blocks.fpn import FPN
from ml.blocks.losses import focal
from ml.blocks.residual import BasicBlock, Bottleneck
from ml.blocks.resnet import ResNet
from ml.blocks.retina_head import RetinaHead
from tests.ml.blocks.counting import parameters


@pytest.mark.parametrize(
    ("count", "build"),
    [
        (352, lambda: ConvNormAct(1, 32)),
        (36_992, lambda: ConvNormAct(64, 64)),
        (36_992, lambda: ConvNormAct(64, 64, norm="gn")),
        (73_984, lambda: BasicBlock(64, 64)),
        (230_144, lambda: BasicBlock(64, 128, 2)),
        (75_008, lambda: Bottleneck(64, 64)),
        (70_400, lambda: Bottleneck(256, 64)),
        (379_392, lambda: Bottleneck(256, 128, 2)),
        (580, lambda: ChannelGate(64, residual=False)),
        (8_464, lambda: ChannelGate(256)),
        (33_312, lambda: ChannelGate(512)),
        (7_997_440, lambda: FPN(512, 1024, 2048)),
        (3_770_368, lambda: FPN(128, 256, 512)),
        (4_824_365, lambda: RetinaHead(1)),
        (4_845_110, lambda: RetinaHead(2)),
        (4_865_855, lambda: RetinaHead(3)),
        (11_170_240, lambda: ResNet(BasicBlock, (2, 2, 2, 2))),
        (21_278_400, lambda: ResNet(BasicBlock, (3, 4, 6, 3))),
        (23_501_760, lambda: ResNet(Bottleneck, (3, 4, 6, 3))),
        (307_888, lambda: ResNet(BasicBlock, (1, 1, 1, 1), width=16)),
        (504_816, lambda: ResNet(Bottleneck, (1, 1, 1, 1), width=16)),
    ],
)
def test_a_block_has_the_parameters_of_its_table(count, build):
    assert parameters(build) == count


def test_a_resnet_has_the_keys_of_torchvision():
    with torch.device("meta"):
        keys = set(ResNet(Bottleneck, (3, 4, 6, 3)).state_dict())
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "layer4.2.bn3.running_var"} <= keys
    assert len(keys) == 318  # torchvision's 320 without the classifier


def test_dilation_keeps_the_map_of_the_undilated_stage_before():
    net = ResNet(Bottleneck, (1, 1, 1, 1), width=4, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    assert [tuple(m.shape[-2:]) for m in net(torch.zeros(1, 1, 64, 64))] == [(32, 32), (16, 16), (8, 8), (8, 8), (8, 8)]


def test_a_gate_lies_between_zero_and_one_and_adds_to_the_identity():
    torch.manual_seed(0)
    gate, x = ChannelGate(16), torch.randn(2, 16, 5, 5)
    values = gate.gate(x)
    assert ((values > 0) & (values < 1)).all()
    torch.testing.assert_close(gate(x), x * values[:, :, None, None] + x)
    nn.init.constant_(gate.excite.bias, -1e4)  # gates at 0: the block is the identity
    torch.testing.assert_close(gate(x), x)


def test_focal_loss_has_the_computed_values():
    logit = torch.tensor([math.log(0.9 / 0.1), math.log(0.1 / 0.9), math.log(0.2 / 0.8)])
    expected = torch.tensor([0.000263401, 0.466273, 0.00669431])
    torch.testing.assert_close(focal(logit, torch.tensor([1.0, 1.0, 0.0])), expected, rtol=1e-4, atol=1e-8)


def test_focal_loss_without_gamma_is_weighted_cross_entropy():
    logits, y = torch.randn(50), torch.randint(2, (50,)).float()
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    torch.testing.assert_close(focal(logits, y, gamma=0.0), entropy * torch.where(y > 0, 0.25, 0.75))


def test_held_masks_are_the_same_for_all_images_of_a_pass_and_differ_between_passes():
    layer = HeldDropout(64, 0.5).eval()
    masks = pass_masks(nn.Sequential(layer), 3, seed=1)
    x = torch.ones(4, 64, 2, 2)
    with held(nn.Sequential(layer), masks, 0):
        first = layer(x)
    with held(nn.Sequential(layer), masks, 1):
        second = layer(x)
    assert (first == first[:1]).all()
    assert (first != second).any()
    torch.testing.assert_close(layer(x), x)  # outside a pass, eval has no dropout
    assert set(first.unique().tolist()) == {0.0, 2.0}


def test_masks_depend_on_the_seed_alone():
    layer = nn.Sequential(HeldDropout(32, 0.3))
    a, b, c = (pass_masks(layer, 2, seed)["0"] for seed in (5, 5, 6))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
