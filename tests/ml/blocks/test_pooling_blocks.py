"""Attention and multiple-instance pooling, views, sides, regions: worked numbers of methods.md 4.2."""

import pytest
import torch

from ml.blocks.bilateral_diff import BilateralDiff
from ml.blocks.channel_gate import ChannelGate
from ml.blocks.gated_attention import GatedAttention
from ml.blocks.mil_pool import MILPool
from ml.blocks.residual import BasicBlock
from ml.blocks.resnet import ResNet
from ml.blocks.resnet_preact import ResNet22
from ml.blocks.roi_align import roi_align
from ml.blocks.roi_retrieve import RoiRetrieve
from ml.blocks.view_fusion import ORDER, ViewEncoder, ViewFusion
from tests.ml.blocks.counting import parameters

P = torch.tensor([[0.1, 0.2, 0.9, 0.4]])
KINDS = ("max", "mean", "top", "lse", "noisy_or")


@pytest.mark.parametrize(("count", "bias"), [(131_200, False), (131_457, True)])
def test_gated_attention_has_the_parameters_of_its_table(count, bias):
    assert parameters(lambda: GatedAttention(512, 128, bias=bias)) == count


def test_attention_sums_to_one_over_the_instances_that_exist():
    torch.manual_seed(0)
    pool, h = GatedAttention(6, 4), torch.randn(2, 5, 6)
    mask = torch.tensor([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    z, a = pool(h, mask)
    torch.testing.assert_close(a.sum(1), torch.ones(2))
    assert (a[~mask] == 0).all()
    h[~mask] = float("nan")
    torch.testing.assert_close(pool(h, mask)[0], z)
    torch.testing.assert_close(z[0], pool(h[:1, [0, 1, 3]])[0][0])


def test_attention_does_not_depend_on_the_order_of_the_instances():
    torch.manual_seed(0)
    pool, h = GatedAttention(6, 4), torch.randn(1, 5, 6)
    order = torch.randperm(5)
    torch.testing.assert_close(pool(h[:, order])[0], pool(h)[0])
    torch.testing.assert_close(pool(h[:, order])[1], pool(h)[1][:, order])


def test_an_empty_bag_pools_to_zeros_with_a_finite_gradient():
    pool = GatedAttention(3, 2)
    h = torch.randn(1, 4, 3, requires_grad=True)
    z, _ = pool(h, torch.zeros(1, 4, dtype=torch.bool))
    z.sum().backward()
    assert (z == 0).all()
    assert torch.isfinite(h.grad).all()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("max", 0.9), ("mean", 0.4), ("top", 0.65), ("lse", 0.64729), ("noisy_or", 0.9568)],
)
def test_pooling_has_the_computed_values(kind, expected):
    pool = MILPool(kind, share=0.5, sharpness=5.0)
    assert pool(P).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_pool_and_an_empty_bag_is_zero(kind):
    pool = MILPool(kind, share=0.5)
    padded = torch.cat([P, torch.full((1, 3), 0.99)], 1)
    mask = torch.tensor([[True] * 4 + [False] * 3])
    torch.testing.assert_close(pool(padded, mask), pool(P))
    assert pool(padded, torch.zeros_like(mask)).item() == 0.0
    classes = torch.stack([P, P.flip(1) / 2], -1)
    torch.testing.assert_close(pool(classes)[:, 1], pool(P / 2))


def test_the_top_share_takes_one_instance_at_least():
    assert MILPool("top", share=0.01)(P).item() == pytest.approx(0.9)


def test_regions_follow_the_greatest_mean_and_are_not_found_twice():
    saliency = torch.zeros(1, 2, 8, 6)
    saliency[0, 0, 2:4, 1:3] = 1.0
    saliency[0, 1, 6:8, 4:6] = torch.tensor([[0.5, 0.5], [0.5, 0.4]])  # normalised to 1 but for one cell
    roi = RoiRetrieve(2, 16)
    cells, window = roi.cells(saliency, 64, 48)
    assert window == (2, 2)
    assert cells.tolist() == [[[2, 1], [6, 4]]]
    image = torch.arange(64 * 48.0).reshape(1, 1, 64, 48)
    crops, corners = roi(image, saliency)
    assert corners.tolist() == [[[8, 16], [32, 48]]]
    torch.testing.assert_close(crops[0, 0], image[0, :, 16:32, 8:24])


def test_the_parts_of_gmic_have_its_total():
    parts = (
        lambda: ResNet22(stem_padding=3),
        lambda: torch.nn.Conv2d(256, 2, 1, bias=False),
        lambda: ResNet(BasicBlock, (2, 2, 2, 2)),
        lambda: GatedAttention(512, 128),
        lambda: torch.nn.Linear(512, 2, bias=False),
        lambda: torch.nn.Linear(768, 2),
    )
    assert sum(map(parameters, parts)) == 14_104_050


def test_equal_regions_come_in_row_major_order_and_stay_inside():
    saliency = torch.zeros(1, 1, 4, 4)
    saliency[0, 0, 3, 3] = saliency[0, 0, 0, 3] = 1.0
    corners = RoiRetrieve(2, 15).corners(saliency, 40, 40)
    assert corners.tolist() == [[[20, 0], [20, 20]]]


def test_no_gradient_reaches_the_saliency_through_the_crops():
    saliency = torch.rand(1, 1, 4, 4, requires_grad=True)
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    crops, _ = RoiRetrieve(1, 8)(image, saliency)
    crops.sum().backward()
    assert saliency.grad is None
    assert image.grad.sum() == 64


@pytest.mark.parametrize("kind", ["mean", "max", "attention"])
def test_a_missing_view_is_left_out(kind):
    torch.manual_seed(0)
    fusion, x = ViewFusion(kind, 5), torch.randn(2, 4, 5)
    mask = torch.tensor([[True, False, True, True], [True, True, True, True]])
    other = x.clone()
    other[0, 1] = 99.0
    torch.testing.assert_close(fusion(x, mask), fusion(other, mask))
    assert not torch.equal(fusion(other), fusion(x))
    assert fusion(x).shape == (2, fusion.out_features)
    with pytest.raises(AssertionError, match="without any view"):
        fusion(x, torch.zeros(2, 4, dtype=torch.bool))


def test_views_are_concatenated_in_the_order_asked_for():
    x = torch.arange(4.0)[None, :, None]
    views = ("L-CC", "R-CC", "L-MLO", "R-MLO")
    assert ViewFusion("concat", 1, views)(x).tolist() == [[1.0, 0.0, 3.0, 2.0]]
    assert ViewFusion("concat", 1, views, order=views)(x).tolist() == [[0.0, 1.0, 2.0, 3.0]]
    assert ViewFusion("concat", 1, ("MLO", "CC"))(x[:, :2]).tolist() == [[0.0, 1.0]]
    with pytest.raises(AssertionError, match="does not place"):
        ViewFusion("concat", 1, views, order=("L-CC", "R-CC"))


def test_a_missing_view_is_a_learned_token_or_refused():
    x, mask = torch.ones(1, 4, 2), torch.tensor([[True, True, False, True]])
    with pytest.raises(AssertionError, match="needs all views"):
        ViewFusion("concat", 2)(x, mask)
    fusion = ViewFusion("concat", 2, tokens=True)
    with torch.no_grad():
        fusion.token[2] = 7.0
    fused = fusion(x, mask)
    assert fused.tolist() == [[1, 1, 1, 1, 7, 7, 1, 1, 1, 1, 0, 1]]
    assert fused.shape[1] == fusion.out_features
    fused.sum().backward()
    assert fusion.token.grad.tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(("share", "encoders"), [("all", 1), ("laterality", 2)])
def test_views_share_an_encoder_across_sides_and_perhaps_across_kinds(share, encoders):
    torch.manual_seed(0)
    net = ViewEncoder(lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3)), ORDER, share)
    assert len(net.encoders) == encoders
    one = torch.rand(1, 1, 1, 2, 2)
    features = net(one.expand(1, 4, 1, 2, 2))
    torch.testing.assert_close(features[:, 0], features[:, 1])
    assert torch.allclose(features[:, 0], features[:, 2]) == (share == "all")


def test_equal_sides_differ_nowhere_and_exchanged_sides_differ_alike():
    torch.manual_seed(0)
    block = BilateralDiff(5)
    a, b = torch.rand(1, 3, 12, 9), torch.rand(1, 3, 12, 9)
    assert (block(a, a)[:, 6:] == 0).all()
    torch.testing.assert_close(block(a, b)[:, 6:], block(b, a)[:, 6:])
    torch.testing.assert_close(block(a, b)[:, :3], a)


def test_a_shift_of_two_cells_is_forgiven_and_of_three_is_not():
    x = torch.zeros(1, 1, 15, 15)
    x[0, 0, 7, 7] = 1.0
    block = BilateralDiff(5)
    assert (block(x, x.roll((2, -2), (2, 3)))[:, 2:] == 0).all()
    assert block(x, x.roll(3, 3))[:, 2:].sum() == 2.0
    torch.testing.assert_close(BilateralDiff(1)(x, x.roll(1, 3))[:, 2:], (x - x.roll(1, 3)).abs())


def test_region_features_of_a_ramp_are_the_means_of_their_bins():
    y, x = torch.meshgrid(torch.arange(16) + 0.5, torch.arange(20) + 0.5, indexing="ij")
    maps = torch.stack([torch.stack([x, y]), torch.stack([x, y]) * 10])
    boxes = torch.tensor([[8.0, 16, 40, 48], [20, 20, 60, 44]])
    out = roi_align(maps, boxes, torch.tensor([1, 0]), size=(4, 2), stride=4.0)
    assert out.shape == (2, 2, 4, 2)
    torch.testing.assert_close(out[0, 0], torch.tensor([40.0, 80.0]).expand(4, 2))  # x in cells, times 10
    torch.testing.assert_close(out[1, 1, :, 0], 5 + torch.tensor([0.75, 2.25, 3.75, 5.25]))
    assert roi_align(maps, boxes[:0], torch.zeros(0)).shape == (0, 2, 7, 7)


def test_half_precision_does_not_move_a_region():
    maps = torch.arange(512.0)[None, None, None].expand(1, 1, 8, 512).bfloat16()
    boxes = torch.tensor([[301.0, 0, 303, 8]])
    exact = roi_align(maps.float(), boxes, torch.tensor([0]), size=(1, 1))
    torch.testing.assert_close(roi_align(maps, boxes, torch.tensor([0]), size=(1, 1)), exact)
    assert (exact - 301.5).abs() < 1.5  # the map itself is rounded to even numbers


def test_region_features_have_gradients():
    maps = torch.rand(2, 3, 8, 8, requires_grad=True)
    roi_align(maps, torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([0])).sum().backward()
    assert maps.grad[0].abs().sum() > 0
    assert maps.grad[1].abs().sum() == 0


def test_a_gate_can_be_made_from_a_summary_of_both_sides():
    gate = ChannelGate(32, residual=False, summary_channels=64)
    assert parameters(lambda: ChannelGate(32, residual=False, summary_channels=64)) == 64 * 2 + 2 + 2 * 32 + 32
    x, summary = torch.rand(2, 32, 3, 3), torch.rand(2, 64)
    values = gate.gate_of(summary)
    torch.testing.assert_close(gate.apply_gate(x, values), x * values[:, :, None, None])


def test_a_gate_does_not_see_where():
    gate, x = ChannelGate(32, 4, bias=False), torch.rand(1, 32, 6, 6)
    moved = x.flatten(2)[:, :, torch.randperm(36)].unflatten(2, (6, 6))
    torch.testing.assert_close(gate.gate(moved), gate.gate(x))
