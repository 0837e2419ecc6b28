"""DETRLite, matching, box fusion: counts, hand values, brute force."""

import itertools

import pytest
import torch

from ml.blocks.box_fusion import fuse_boxes
from ml.blocks.boxes import centres_of, corners_of, giou
from ml.blocks.detr import DETRLite, sine_positions
from ml.blocks.dropout import held, pass_masks
from ml.blocks.set_matching import deep_set_loss, match_sets, matching_cost, set_loss
from tests.ml.blocks.counting import parameters

BOX = torch.tensor([[0.0, 0, 10, 10]])


def small(**kwargs):
    torch.manual_seed(0)
    return DETRLite(6, 16, 2, 2, 32, 5, 2, heads=4, **kwargs).eval()


def random_set(queries, classes, marks, seed=0):
    g = torch.Generator().manual_seed(seed)
    boxes = torch.rand(queries, 4, generator=g) * 0.5 + 0.1
    target = torch.randint(classes, (marks,), generator=g), torch.rand(marks, 4, generator=g) * 0.5 + 0.1
    return torch.randn(queries, classes + 1, generator=g), boxes, target


@pytest.mark.parametrize(
    ("count", "arguments"),
    [(1_292_806, (512, 128, 2, 3, 512, 20, 1)), (3_890_694, (512, 192, 3, 4, 768, 40, 1))],
)
def test_the_head_has_the_parameters_of_its_table(count, arguments):
    assert parameters(lambda: DETRLite(*arguments)) == count


def test_six_and_six_layers_count_as_the_published_transformer():
    net = DETRLite(2048)
    layers = (net.encoder, net.encoder_norm, net.decoder, net.decoder_norm)
    assert sum(p.numel() for part in layers for p in part.parameters()) == 17_363_968


@pytest.mark.parametrize(
    ("other", "expected"),
    [([0, 0, 10, 10], 1.0), ([5, 5, 15, 15], -0.079365), ([20, 0, 30, 10], -1 / 3), ([10, 0, 20, 10], 0.0)],
)
def test_generalised_overlap_has_the_computed_values(other, expected):
    assert giou(BOX, torch.tensor([other]).float()).item() == pytest.approx(expected, abs=1e-6)


def test_centres_and_corners_are_inverse():
    boxes = torch.tensor([[0.5, 0.4, 0.2, 0.6]])
    torch.testing.assert_close(corners_of(boxes), torch.tensor([[0.4, 0.1, 0.6, 0.7]]))
    torch.testing.assert_close(centres_of(corners_of(boxes)), boxes)


def test_outputs_are_those_of_the_docstring():
    net = small()
    out = net(torch.rand(2, 6, 4, 7))
    assert out["logits"].shape == (2, 5, 3)
    assert out["boxes"].shape == (2, 5, 4)
    assert ((out["boxes"] > 0) & (out["boxes"] < 1)).all()
    assert len(out["aux"]) == 1
    assert out["embedding"].shape == (2, 16)


def test_padding_is_not_looked_at():
    net, x = small(), torch.rand(1, 6, 4, 7)
    valid = torch.ones(1, 4, 7, dtype=torch.bool)
    valid[..., 5:] = False
    other = x.clone()
    other[..., 5:] = 9.0
    a, b = net(x, valid), net(other, valid)
    for name in ("logits", "boxes", "embedding"):
        torch.testing.assert_close(a[name], b[name])
    assert not torch.allclose(net(x)["boxes"], net(other)["boxes"])


def test_positions_are_all_different_and_follow_the_closed_form():
    positions = sine_positions(6, 9, 32)
    assert positions.shape == (54, 32)
    assert (torch.cdist(positions, positions) + torch.eye(54) > 1e-3).all()
    y, x = 2 * torch.pi * torch.tensor([2.5 / 6, 4.5 / 9])
    torch.testing.assert_close(positions[2 * 9 + 4, [0, 8, 16, 24]], torch.stack([y.sin(), y.cos(), x.sin(), x.cos()]))


def test_dropout_is_held_over_a_pass():
    net, x = small(dropout=0.3), torch.rand(2, 6, 4, 4)
    masks = pass_masks(net, 2, seed=0)
    assert len(masks) == 2 * 2 + 2 * 3
    found = []
    for index in (0, 0, 1):
        with held(net, masks, index):
            found.append(net(x)["boxes"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("seed", range(5))
def test_matching_is_one_to_one_and_of_least_cost(seed):
    logits, boxes, target = random_set(5, 2, 3, seed)
    queries, marks = match_sets(logits, boxes, target)
    assert len(set(queries.tolist())) == 3
    assert sorted(marks.tolist()) == [0, 1, 2]
    cost = matching_cost(logits, boxes, target)
    best = min(sum(cost[q, g] for g, q in enumerate(chosen)) for chosen in itertools.permutations(range(5), 3))
    assert cost[queries, marks].sum().item() == pytest.approx(best.item(), abs=1e-5)


def test_the_cost_has_its_three_parts():
    logits = torch.log(torch.tensor([[0.7, 0.3]]))
    cost = matching_cost(
        logits, torch.tensor([[0.5, 0.5, 0.2, 0.2]]), (torch.tensor([0]), torch.tensor([[0.6, 0.5, 0.2, 0.2]]))
    )
    overlap = 0.5 / 1.5  # half of each box; the hull has no empty part
    assert cost.item() == pytest.approx(-2 * 0.7 + 5 * 0.1 + 2 * (1 - overlap), abs=1e-5)


def test_the_loss_ignores_the_order_of_queries_and_of_targets():
    logits, boxes, target = random_set(6, 2, 3)
    q, g = torch.randperm(6), torch.randperm(3)
    before = set_loss(logits[None], boxes[None], [target])
    after = set_loss(logits[None, q], boxes[None, q], [(target[0][g], target[1][g])])
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


def test_an_image_without_marks_asks_for_none_everywhere():
    logits, boxes, _ = random_set(4, 2, 1)
    parts = set_loss(logits[None], boxes[None], [(torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))])
    assert parts["l1"] == parts["giou"] == 0
    expected = torch.nn.functional.cross_entropy(logits, torch.full((4,), 2))
    torch.testing.assert_close(parts["classes"], expected)


def test_every_parameter_learns_and_earlier_layers_have_their_own_loss():
    net = small().train()
    _, _, target = random_set(5, 2, 2)
    outputs = net(torch.rand(2, 6, 4, 4))
    parts = deep_set_loss(outputs, [target, target])
    last = set_loss(outputs["logits"], outputs["boxes"], [target, target])
    assert all(parts[name] > last[name] for name in parts)
    sum(parts.values()).backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().max() == 0]


def test_a_head_overfits_two_lesions_with_two_queries():
    net = small(dropout=0.0).train()
    x = torch.rand(1, 6, 4, 4)
    target = torch.tensor([0, 1]), torch.tensor([[0.3, 0.3, 0.2, 0.2], [0.7, 0.6, 0.3, 0.2]])
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(100):
        optimiser.zero_grad()
        loss = sum(deep_set_loss(net(x), [target]).values())
        loss.backward()
        optimiser.step()
    out = net.eval()(x)
    queries, marks = match_sets(out["logits"][0], out["boxes"][0], target)
    overlap = giou(corners_of(out["boxes"][0, queries]), corners_of(target[1][marks])).diagonal()
    assert (overlap > 0.7).all()
    assert (out["logits"][0].argmax(1) < 2).sum() == 2


def test_boxes_that_agree_are_averaged_by_score_and_lone_ones_count_less():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    scores = torch.tensor([0.9, 0.6, 0.8])
    fused, means, group = fuse_boxes(boxes, scores, 2)
    torch.testing.assert_close(fused[0], torch.tensor([0.4, 0, 10.4, 10]))
    torch.testing.assert_close(means, torch.tensor([0.75, 0.4]))
    assert group.tolist() == [0, 0, 1]
    assert [len(part) for part in fuse_boxes(boxes[:0], scores[:0], 2)] == [0, 0, 0]
