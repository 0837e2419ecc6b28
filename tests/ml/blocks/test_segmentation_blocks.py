"""U-Net, AU block, ASPP and attention gate: counts of methods.md 4.2 and what each promises."""

import pytest
import torch
from torch import nn

from ml.blocks.aspp import ASPP
from ml.blocks.attention_gate import AttentionGate
from ml.blocks.au_block import AUBlock, AUEncoderBlock
from ml.blocks.dropout import held, pass_masks
from ml.blocks.unet import UNet
from tests.ml.blocks.counting import parameters


def aunet(in_channels, width):
    """The network of methods-17 3.5: five encoder levels, four AU blocks, a head of two classes."""
    widths = [width * 2**level for level in range(5)]
    encoder = [AUEncoderBlock(i, o) for i, o in zip([in_channels, *widths[:-1]], widths, strict=True)]
    return nn.Sequential(*encoder, *[AUBlock(c) for c in widths[:0:-1]], nn.Conv2d(width, 2, 1))


@pytest.mark.parametrize(
    ("count", "build"),
    [
        (4_131_840, lambda: ASPP(512)),
        (15_535_104, lambda: ASPP(2048)),
        (197_121, lambda: AttentionGate(256, 512, 256)),
        (6_209, lambda: AttentionGate(64, 128, 32)),
        (31_036_481, lambda: UNet(1, 1, 64)),
        (31_030_593, lambda: UNet(1, 1, 64, bn=False)),
        (7_762_465, lambda: UNet(1, 1, 32)),
        (7_762_753, lambda: UNet(2, 1, 32)),
        (1_942_289, lambda: UNet(1, 1, 16)),
        (121_033, lambda: UNet(1, 1, 8, 3)),
        (75_495_162, lambda: aunet(3, 64)),
        (18_884_414, lambda: aunet(1, 32)),
        (1_184_369, lambda: aunet(1, 8)),
    ],
)
def test_a_block_has_the_parameters_of_its_table(count, build):
    assert parameters(build) == count


@pytest.mark.parametrize(("rows", "cols"), [(32, 32), (33, 47), (5, 64)])
def test_a_unet_answers_in_the_size_of_its_input(rows, cols):
    net = UNet(1, 2, 4, 3).eval()
    assert net(torch.rand(1, 1, rows, cols)).shape == (1, 2, rows, cols)


def test_a_unet_uses_every_skip_and_the_bottleneck():
    torch.manual_seed(0)
    net = UNet(1, 1, 4, 3).eval()
    maps = net.encode(torch.rand(1, 1, 32, 32))
    assert [tuple(m.shape[1:]) for m in maps] == [(4, 32, 32), (8, 16, 16), (16, 8, 8), (32, 4, 4)]
    whole = net.decode(maps)
    for level in range(4):
        without = [torch.zeros_like(m) if n == level else m for n, m in enumerate(maps)]
        assert not torch.equal(net.decode(without), whole)


def test_a_second_input_is_one_more_channel():
    torch.manual_seed(0)
    net = UNet(2, 1, 4, 2).eval()
    x, posterior = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(net(x, posterior), net(torch.cat([x, posterior], 1)))
    assert not torch.equal(net(x, posterior), net(x, torch.zeros_like(posterior)))


def test_dropout_sits_at_the_deepest_levels_and_is_held():
    torch.manual_seed(0)
    net = UNet(1, 1, 4, 3, dropout=0.5, dropout_levels=2).eval()
    masks = pass_masks(net, 2, seed=0)
    assert {name: m.shape[1] for name, m in masks.items()} == {"dropout.2": 16, "dropout.3": 32}
    x = torch.rand(1, 1, 16, 16)
    outputs = []
    for index in (0, 0, 1):
        with held(net, masks, index):
            outputs.append(net(x))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_an_au_block_adds_the_dense_map_to_the_skip():
    torch.manual_seed(0)
    block, seen = AUBlock(16).eval(), {}
    block.smooth.register_forward_pre_hook(lambda _, inputs: seen.update(smooth=inputs[0]))
    block.shuffle.register_forward_hook(lambda _, __, output: seen.update(dense=output))
    x, skip = torch.rand(2, 16, 6, 5), torch.rand(2, 8, 12, 10)
    assert block(x, skip).shape == (2, 8, 12, 10)
    torch.testing.assert_close(seen["smooth"], skip + seen["dense"])


@pytest.mark.parametrize("path", ["dense", "bilinear"])
def test_both_upsampling_paths_of_an_au_block_matter(path):
    torch.manual_seed(0)
    block = AUBlock(16).eval()
    x, skip = torch.rand(2, 16, 6, 6), torch.rand(2, 8, 12, 12)
    before = block(x, skip)
    before.sum().backward()
    assert getattr(block, path)[0].weight.grad.abs().max() > 0
    getattr(block, path).register_forward_hook(lambda _, __, output: torch.zeros_like(output))
    assert not torch.equal(block(x, skip), before)


def test_the_gate_of_an_au_block_weighs_all_its_channels_and_follows_the_input():
    torch.manual_seed(0)
    block = AUBlock(32).eval()
    first, second = (block.gate.gate(torch.rand(1, 32, 4, 4)) for _ in range(2))
    assert first.shape == (1, 32)
    assert ((first > 0) & (first < 1)).all()
    assert not torch.equal(first, second)


def test_an_attention_gate_scales_the_skip_by_one_map():
    torch.manual_seed(0)
    gate = AttentionGate(8, 16, 4)
    x, g = torch.rand(2, 8, 10, 12), torch.rand(2, 16, 5, 6)
    a = gate.attention(x, g)
    assert a.shape == (2, 1, 10, 12)
    assert ((a > 0) & (a < 1)).all()
    torch.testing.assert_close(gate(x, g), x * a)


def test_aspp_sees_the_whole_image_and_keeps_its_size():
    torch.manual_seed(0)
    block, x = ASPP(4, 8).eval(), torch.rand(1, 4, 9, 40)
    assert block(x).shape == (1, 8, 9, 40)
    far = x.clone()
    far[..., -1] += 5.0  # further than any rate from column 0: only the image's mean carries it there
    assert not torch.equal(block(far)[..., 0], block(x)[..., 0])
