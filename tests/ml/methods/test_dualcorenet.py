"""What makes `dualcorenet` itself: two paths, the second conditional on the mask. Figures: methods-17.md 3.15."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ml.methods.dualcorenet import DualCoreNet, largest_part
from ml.training.loop import forward_of
from tests.ml.methods.world import settled


def network_of(a_setup, size="tiny", **config) -> DualCoreNet:
    torch.manual_seed(0)
    return a_setup("dualcorenet", size, **config).modules()["joint"]


@pytest.mark.parametrize(("size", "count"), [("large", 10_404_835), ("base", 2_629_299), ("tiny", 77_659)])
def test_a_size_has_its_parameters(size, count, a_setup):
    with torch.device("meta"):
        assert sum(p.numel() for p in network_of(a_setup, size).parameters()) == count


def test_the_large_network_has_256_nodes_of_256(a_setup):
    with torch.device("meta"):
        network, x = network_of(a_setup, "large").eval(), torch.zeros(1, 1, 128, 128)
        assert network.cgl.image(x).shape == network.cgl.mask(x).shape == (1, 256, 16, 16)
        said = network(x)
        assert said["mask"].shape == (1, 1, 128, 128) and said["logits"].shape == (1, 2)
        assert said["embedding"].shape == (1, 768)


def test_edges_sum_to_one_and_follow_the_mask(a_setup):
    network = network_of(a_setup).eval()
    image, mask = torch.rand(2, 1, 48, 48), torch.rand(2, 1, 48, 48)
    layer, h = network.cgl.layers[0], network.cgl.image(image)
    edges = layer.edges(h, network.cgl.mask(mask))
    assert edges.shape == (2, 144, 144)
    torch.testing.assert_close(edges.sum(2), torch.ones(2, 144), atol=1e-5, rtol=0)
    assert (layer.edges(h, network.cgl.mask(1 - mask)) - edges).abs().max() > 1e-4


def test_a_node_gathers_what_its_row_says(a_setup):
    network = network_of(a_setup).eval()
    layer = network.cgl.layers[0]
    h, m = torch.rand(1, 32, 4, 4), torch.rand(1, 32, 4, 4)
    edges, values = layer.edges(h, m)[0], layer.value(h)[0].flatten(1)
    gathered = torch.stack([sum(edges[i, j] * values[:, j] for j in range(16)) for i in range(16)], 1)
    wanted = torch.relu(h + layer.norm(gathered.reshape(1, 32, 4, 4)))
    torch.testing.assert_close(layer(h, m), wanted, atol=1e-5, rtol=1e-4)


def test_the_class_teaches_the_outline_and_the_outline_does_not_teach_the_graph(a_setup):
    network = network_of(a_setup).train()
    said = network(torch.rand(4, 1, 48, 48))
    said["logits"][:, 1].sum().backward(retain_graph=True)
    assert all(p.grad.abs().sum() > 0 for p in network.lpl.out.parameters())
    network.zero_grad(set_to_none=True)
    said["mask"].square().sum().backward()
    assert all(p.grad is None for p in network.cgl.parameters())
    assert network.head.weight.grad is None


def test_the_class_follows_the_contour_through_the_second_path_alone(a_setup):
    """The same pixels under another mask: the locality learner's vector stays, the graph learner's does not."""
    network, x = network_of(a_setup).eval(), torch.rand(1, 1, 48, 48)
    y = torch.linspace(-1, 1, 48)
    angle, radius = torch.atan2(y[:, None], y[None]), torch.hypot(y[:, None], y[None])
    smooth, spiculated = (radius < 0.5).float(), (radius < 0.5 + 0.2 * torch.cos(9 * angle)).float()
    found = []
    for mask in (smooth, spiculated):
        network.shown = lambda z, truth, marked, own=mask: own[None, None]
        found.append(network(x))
    first, second = found
    torch.testing.assert_close(first["embedding"][:, :32], second["embedding"][:, :32])
    assert (first["embedding"][:, 32:] - second["embedding"][:, 32:]).abs().max() > 1e-4
    assert (first["logits"] - second["logits"]).abs().max() > 1e-6


def test_the_true_mask_is_shown_in_half_of_the_regions_of_the_first_half(a_setup):
    network = network_of(a_setup).train()
    z, truth = torch.zeros(400, 1, 2, 2), torch.ones(400, 1, 2, 2)
    marked = torch.arange(400) < 300

    def share(seen):
        network.seen.fill_(seen)
        return (network.shown(z, truth, marked)[:, 0, 0, 0] == 1).float()

    early = share(0)
    assert 0.4 < float(early[:300].mean()) < 0.6 and float(early[300:].sum()) == 0
    assert float(share(network.planned // 2).sum()) == 0
    network.eval()
    assert float(share(0).sum()) == 0


def test_the_class_weighs_more_as_training_goes_on(a_setup):
    network = network_of(a_setup)
    weights = []
    for share in (0.0, 0.1, 0.2, 1.0):
        network.seen.fill_(round(share * network.planned))
        weights.append(network.class_weight())
    assert weights == pytest.approx([0.5, 0.75, 1.0, 1.0])


def test_the_joint_stage_starts_from_the_outline_and_counts_what_it_saw(a_setup):
    setup = a_setup("dualcorenet")
    modules, stage = setup.modules(), setup.stage("joint")
    assert [(c.stage, c.to) for c in stage.starts_from] == [("lpl", "lpl.")]
    assert {f"lpl.{name}" for name in modules["lpl"].state_dict()} <= set(modules["joint"].state_dict())
    modules["joint"].train()
    parts = stage.loss(forward_of(stage, modules, setup.batch(n=4)), setup.batch(n=4))
    assert set(parts) == {"cross_entropy", "dice", "class"} and int(modules["joint"].seen) == 4


def test_only_the_largest_part_is_kept():
    mask = torch.zeros(20, 20)
    mask[2:10, 2:10], mask[14:17, 14:17], mask[0, 19] = 0.9, 0.95, 0.3
    kept = largest_part(mask)
    assert ((kept > 0.5) == (mask == 0.9)).all() and float(kept[0, 19]) == pytest.approx(0.3)


def test_an_images_mask_joins_its_regions(trained):
    run = trained("dualcorenet", "segmentation")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    masks = [row for row in rows if row["kind"] == "mask"]
    assert masks and len({row["image_id"] for row in masks}) == len(masks)
    assert all(np.asarray(Image.open(run / row["mask_path"])).shape == (96, 72) for row in masks)


def test_outlines_are_learned_with_the_pathology_too(world):
    setup = settled(*world, "dualcorenet", task="segmentation")
    assert setup.aim.labels == ("benign", "malignant")
    assert {sample.roi.label for sample in setup.view()[0]} == {"benign", "malignant"}
