"""What makes `bilateral_asymmetry` itself: sides compared at mirrored places. Source: methods.md 3.19."""

from dataclasses import replace

import pytest
import torch

from ml.blocks.pair_alignment import aligned, moved, moved_back
from ml.methods.bilateral_asymmetry import asymmetry_loss, over_breasts, places, shifted
from ml.methods.spec import Inference


@pytest.mark.parametrize(
    ("size", "count"),
    [("large", 2_793_570), ("tiny", 5_034)],  # golden numbers of this implementation
)
def test_a_size_has_its_parameters(size, count, a_stage):
    with torch.device("meta"):
        assert sum(p.numel() for p in a_stage("bilateral_asymmetry", size)[2].build().parameters()) == count


def test_the_large_trunk_has_stride_8_and_256_maps(a_stage):
    with torch.device("meta"):
        network = a_stage("bilateral_asymmetry", "large")[2].build()
        assert tuple(network.trunk(torch.zeros(1, 1, 256, 128))[-1].shape) == (1, 256, 32, 16)
        assert network.difference.shifts == 5


@pytest.fixture
def at_rest(a_setup):
    """(stage, modules, batch), with norms that have seen images."""
    setup = a_setup("bilateral_asymmetry")
    torch.manual_seed(0)
    stage, batch = setup.stage("main"), setup.batch(n=4)
    modules = {"main": stage.build()}
    with torch.no_grad():
        for _ in range(3):
            stage.forward(modules, batch)
    modules["main"].eval()
    return stage, modules, batch


def both(batch, right, left):
    return replace(
        batch,
        x=torch.stack([batch.x[:, right], batch.x[:, left]], 1),
        breast=torch.stack([batch.breast[:, right], batch.breast[:, left]], 1),
    )


def test_exchanging_the_sides_exchanges_the_maps_and_nothing_else(at_rest):
    stage, modules, batch = at_rest
    said, other = stage.forward(modules, batch), stage.forward(modules, both(batch, 1, 0))
    torch.testing.assert_close(said["z"], other["z"], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(said["cells"], other["cells"].flip(1), atol=1e-5, rtol=1e-5)


def test_a_breast_beside_itself_is_the_same_constant_whatever_it_shows(at_rest):
    stage, modules, batch = at_rest
    network = modules["main"]
    said = stage.forward(modules, both(batch, 1, 1))
    assert (said["z"] - said["z"][0]).abs().max() < 1e-6
    assert network.excess(network.features(both(batch, 0, 0).x)).max() == 0
    assert (stage.forward(modules, batch)["z"] - said["z"][0]).abs().max() > 1e-4


def test_a_lesion_on_the_other_side_is_shown_on_the_other_side(at_rest):
    _, modules, batch = at_rest
    network = modules["main"]
    plain = batch.x[:1, 1:].repeat(1, 2, 1, 1, 1) * 0.5
    for side in range(2):
        x = plain.clone()
        x[:, side, :, 40:52, 20:32] = 1.0
        excess = network.excess(network.features(x))[0].amax(1)  # (2, h, w)
        assert (excess.flatten(1).argmax(1)[side] // 16 - 11).abs() <= 2
        assert excess[side].sum() > 0


def test_cells_are_taught_where_marks_are_and_pairs_without_marks_teach_them_nothing(at_rest):
    stage, modules, batch = at_rest
    outputs = stage.forward(modules, batch)
    marked = batch.targets["side_marks"].flatten(1).any(1)
    assert 0 < marked.sum() < len(marked)
    assert asymmetry_loss(outputs, batch)["cells"] > 0
    nothing = {**batch.targets, "side_marks": torch.zeros_like(batch.targets["side_marks"])}
    assert asymmetry_loss(outputs, replace(batch, targets=nothing))["cells"] == 0


def test_training_shows_each_left_breast_beside_a_moved_copy(at_rest):
    stage, modules, batch = at_rest
    assert "copy_z" not in stage.forward(modules, batch)
    modules["main"].train()
    losses = asymmetry_loss(stage.forward(modules, batch), batch)
    assert losses["copy"] > 0


def test_images_move_by_whole_pixels_and_nothing_wraps_around():
    x = torch.arange(12.0).reshape(1, 3, 4)
    assert torch.equal(shifted(x, 1, -1)[0, 1:, :3], x[0, :2, 1:])
    assert shifted(x, 1, -1)[0, 0].sum() == 0
    assert shifted(x, 1, -1)[0, :, 3].sum() == 0


@pytest.mark.parametrize("size", ["tiny", "large"])
def test_an_untaught_cell_thinks_itself_symmetric(a_setup, size):
    """From one half, some starts never learned: 0.1 of the hidden units that say yes were alive after 120 steps."""
    torch.manual_seed(0)
    network = a_setup("bilateral_asymmetry", size).stage("main").build().eval()
    with torch.no_grad():
        cells = network.cells(torch.rand(2, network.trunk.widths[-1], 6, 4))
    assert cells.sigmoid().max() < 0.05


def test_what_lies_over_aligned_breasts_is_brought_back_to_where_they_were():
    movement = torch.tensor([[0.15, 8.0, 0.05, -0.04]])
    pair = torch.zeros(1, 2, 1, 96, 64)
    pair[0, :, 0, 40:52, 22:32] = 1.0
    there = moved(pair, movement)
    back = moved_back(there, movement)
    assert (there - pair).abs().max() > 0.9
    for side in range(2):
        found, wanted = ((own[0, side, 0] > 0.5).nonzero().float().mean(0) for own in (back, pair))
        torch.testing.assert_close(found, wanted, atol=0.3, rtol=0)
        assert 0.9 < float((back[0, side] > 0.5).sum() / pair[0, side].sum()) < 1.1


def test_an_asymmetric_cell_is_shown_on_its_side_where_it_lies_in_the_image(at_rest):
    _, _, batch = at_rest
    cells = torch.full((len(batch.x), 2, 24, 16), -6.0)
    cells[:, 1, 8:12, 4:8] = 6.0  # of the left side
    for maps, mm in zip(over_breasts(cells, aligned(batch.x, batch.breast)[2], batch), batch.mm_per_px, strict=True):
        right, left = places(maps, mm)
        assert (right.slot, left.slot, len(right.boxes)) == (0, 1, 0)
        (box,), (score,) = left.boxes.tolist(), left.scores.tolist()
        y, x = (maps[1] > 0.5).nonzero(as_tuple=True)
        assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert 0.5 < score <= 1.0


def test_the_answer_shows_the_places_of_its_own_map(at_rest, a_setup):
    _, modules, batch = at_rest
    setup = a_setup("bilateral_asymmetry")
    inference = Inference(aim=setup.aim)
    with torch.no_grad():
        none = setup.method.predict(modules, batch, setup.config, inference)
        modules["main"].cells[2].bias += 12.0  # so that everything looks asymmetric
        said = setup.method.predict(modules, batch, setup.config, inference)
        heat = setup.method.heat(modules, batch, setup.config)
    assert all(len(where.boxes) == 0 for own in none for where in own.where)
    for own, maps in zip(said, heat, strict=True):
        for side, where in enumerate(own.where):
            assert where.boxes[0, 2] > 40
            assert float(where.scores[0]) == pytest.approx(float(maps[side][maps[side] > 0.5].mean()), abs=1e-3)
