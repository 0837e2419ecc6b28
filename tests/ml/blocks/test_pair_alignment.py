"""Outlines brought together, half of the movement on each side."""

import torch

from ml.blocks.pair_alignment import aligned, found, moved


def breast(depth, half, middle=48.0, tilt=0.0, rows=96, cols=64):
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(cols) + 0.5, indexing="ij")
    y = y - middle - tilt * x
    return ((x / depth) ** 2 + (y / half) ** 2 < 1)[None, None]


def overlap(a, b):
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_equal_outlines_stay_where_they_are():
    mask = breast(50, 40)
    assert found(mask, mask).abs().max() == 0
    x = torch.rand(1, 2, 1, 96, 64)
    pair, _, _ = aligned(x, torch.ones_like(x, dtype=torch.bool))
    torch.testing.assert_close(pair, x, atol=1e-5, rtol=1e-5)


def test_breasts_of_other_size_height_and_tilt_come_together():
    for other in (breast(40, 32), breast(50, 40, middle=44), breast(50, 40, tilt=0.2)):
        pair = torch.stack([breast(50, 40), other], 1)
        _, inside, _ = aligned(pair.float(), pair)
        before, after = overlap(pair[:, 0], pair[:, 1]), overlap(inside[:, 0], inside[:, 1])
        assert after > 0.95
        assert after > before + 0.01


def test_exchanging_the_sides_turns_the_movement_round():
    right, left = breast(50, 40), breast(40, 35, middle=51, tilt=0.08)
    torch.testing.assert_close(found(right, left), -found(left, right), atol=1e-6, rtol=1e-6)


def test_each_side_takes_half_of_the_movement():
    """A shift of eight rows is four rows up and four rows down."""
    x = torch.zeros(1, 2, 1, 80, 40)
    x[:, :, :, 40, 10] = 1.0
    pair = moved(x, torch.tensor([[0.0, 0.0, 0.1, 0.0]]))
    assert pair[0, 0, 0, 36, 10] > 0.99
    assert pair[0, 1, 0, 44, 10] > 0.99
