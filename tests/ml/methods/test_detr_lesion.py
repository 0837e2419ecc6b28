"""What makes `detr_lesion` itself: a set with one-to-one matching, no suppression. Source: methods-17.md 3.19."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch import nn

from ml.blocks.detr import DETRLite
from ml.blocks.set_matching import match_sets, matching_cost, set_loss
from ml.methods.detr_lesion import loss
from ml.methods.spec import Inference
from ml.training.model_folder import ModelSpec, plain_config, trained_on
from ml.training.starting import Start, load_start


@pytest.mark.parametrize(
    ("size", "count"),
    [("large", 41_538_121), ("base", 16_971_209), ("tiny", 241_657)],  # golden numbers of this implementation
)
def test_a_size_has_its_parameters(size, count, a_stage):
    with torch.device("meta"):
        _, _, stage = a_stage("detr_lesion", size)
        assert sum(p.numel() for p in stage.build().parameters()) == count


def test_the_transformer_of_the_paper_has_its_parameters():
    """Six layers each way, 256 wide, 2048 hidden, as `nn.Transformer` counts them."""
    with torch.device("meta"):
        net, paper = DETRLite(2048), nn.Transformer(256, 8, 6, 6, 2048)
    own = [net.encoder, net.encoder_norm, net.decoder, net.decoder_norm]
    count = sum(p.numel() for part in own for p in part.parameters())
    assert count == sum(p.numel() for p in paper.parameters()) == 17_363_968


@pytest.mark.parametrize("size", ["base", "large"])
def test_its_trunk_is_that_of_the_detector_of_the_same_size(size, a_stage):
    with torch.device("meta"):
        own, lent = (a_stage(name, size)[2].build().trunk.state_dict() for name in ("detr_lesion", "retinanet_mass"))
    assert {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in lent.items()}


def test_it_starts_from_the_trunk_of_a_detector(a_stage):
    """`load_start` refuses a donor of which a single weight of the trunk does not fit."""
    (method, config, lending), (_, _, own) = (a_stage(name, "base") for name in ("retinanet_mass", "detr_lesion"))
    lent, network = lending.build(), own.build()
    donor = ModelSpec(
        method=method.name, size="base", task=method.task, config=plain_config(config), pixels={}, labels=("mass",),
        trained_on=trained_on([], snapshot_id=None, manifest_sha256=""),
    )  # fmt: skip
    before = network.trunk.conv1.weight.clone()
    report = load_start(network, own, Start(donor, {"main": lent.state_dict()}))
    assert (report["init"], report["share"]) == ("trunk", 1.0)
    assert not torch.equal(before, network.trunk.conv1.weight)
    assert all(torch.equal(network.trunk.state_dict()[name], value) for name, value in lent.trunk.state_dict().items())


def random_sets(queries=5, marks=3, classes=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(queries, classes + 1, generator=generator)
    boxes = torch.rand(queries, 4, generator=generator) * 0.4 + 0.2
    target = (
        torch.randint(classes, (marks,), generator=generator),
        torch.rand(marks, 4, generator=generator) * 0.4 + 0.2,
    )
    return logits, boxes, target


def test_the_matching_is_one_to_one_and_no_other_is_cheaper():
    for seed in range(5):
        logits, boxes, target = random_sets(seed=seed)
        queries, marks = match_sets(logits, boxes, target)
        assert len(set(queries.tolist())) == len(set(marks.tolist())) == 3
        cost = matching_cost(logits, boxes, target)
        best = min(sum(cost[q, m] for m, q in enumerate(chosen)) for chosen in permutations(range(5), 3))
        torch.testing.assert_close(cost[queries, marks].sum(), best)


def test_the_loss_knows_neither_the_order_of_the_marks_nor_that_of_the_queries():
    logits, boxes, (labels, true) = random_sets()
    whole = sum(set_loss(logits[None], boxes[None], [(labels, true)]).values())
    turned = sum(set_loss(logits.flip(0)[None], boxes.flip(0)[None], [(labels.flip(0), true.flip(0))]).values())
    torch.testing.assert_close(whole, turned)


def test_an_image_that_may_hold_unmarked_findings_teaches_nothing(a_setup):
    setup = a_setup("detr_lesion")
    batch = setup.batch(n=4)
    outputs = setup.stage("main").build()(batch.x)
    half = replace(batch, targets={**batch.targets, "complete": torch.tensor([True, True, False, False])})
    none = replace(batch, targets={**batch.targets, "complete": torch.zeros(4, dtype=torch.bool)})
    assert sum(loss(outputs, none).values()) == 0
    whole, part = (sum(loss(outputs, own).values()).item() for own in (batch, half))
    assert 0 < part != whole


def test_every_query_answers_once_with_its_best_class(a_setup):
    setup = a_setup("detr_lesion")
    torch.manual_seed(0)
    modules, batch = {name: own.eval() for name, own in setup.modules().items()}, setup.batch(n=2)
    with torch.no_grad():
        said = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim, min_score=0.0))
    for own in said:
        assert len(own.boxes) == setup.config.queries
        assert (own.scores[:-1] >= own.scores[1:]).all()
        assert (own.boxes[:, 2:] > own.boxes[:, :2]).all()
        assert len({tuple(box) for box in own.boxes.tolist()}) == len(own.boxes)


def test_every_look_is_shared_out_whole_and_none_of_it_falls_on_padding():
    torch.manual_seed(0)
    net = DETRLite(16, 32, 2, 2, 64, 5, heads=4).eval()
    valid = torch.ones(1, 6, 5, dtype=torch.bool)
    valid[:, :, 4:] = False
    with torch.no_grad():
        tokens, positions, padded = net.encode(torch.rand(1, 16, 6, 5), valid)
        keys, queries = tokens + positions, net.queries[None]
        looks = [layer.attention(keys, keys, tokens, key_padding_mask=padded)[1] for layer in net.encoder]
        looks += [layer.across(queries, keys, tokens, key_padding_mask=padded)[1] for layer in net.decoder]
        among = [layer.among(queries, queries, queries)[1] for layer in net.decoder]
    for look in (*looks, *among):
        torch.testing.assert_close(look.sum(2), torch.ones(look.shape[:2]), atol=1e-5, rtol=0)
    assert all((look[..., padded[0]] == 0).all() for look in looks)


def test_only_positions_tell_where_a_cell_is():
    """With them a picture whose cells are shuffled has its boxes elsewhere; without them it is the same picture."""
    torch.manual_seed(0)
    net = DETRLite(16, 32, 2, 2, 64, 5, heads=4).eval()
    tokens = torch.randn(1, 30, 32)
    shuffled = tokens[:, torch.randperm(30)]
    _, positions, _ = net.encode(torch.rand(1, 16, 6, 5))

    def boxes(tokens, positions):
        for layer in net.encoder:
            tokens = layer(tokens, positions, None)
        return net.decode(net.encoder_norm(tokens), positions, None)[-1][1]

    with torch.no_grad():
        nowhere = torch.zeros_like(positions)
        torch.testing.assert_close(boxes(shuffled, nowhere), boxes(tokens, nowhere), atol=1e-5, rtol=0)
        assert (boxes(shuffled, positions) - boxes(tokens, positions)).abs().max() > 1e-3
        assert (boxes(tokens, nowhere) - boxes(tokens, positions)).abs().max() > 1e-3
