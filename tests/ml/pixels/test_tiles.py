from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.pixels.tiles import cut, inner_boxes, places, starts, stitch, weights, worth_reading


@pytest.mark.parametrize(
    ("length", "tile", "overlap", "found"),
    [
        (1000, 512, 128, [0, 244, 488]),
        (3328, 1024, 256, [0, 768, 1536, 2304]),
        (300, 512, 128, [0]),
        (512, 512, 9, [0]),
    ],
)
def test_tiles_begin_where_they_should(length: int, tile: int, overlap: int, found: list[int]) -> None:
    assert starts(length, tile, overlap) == found


@given(st.integers(1, 4000), st.integers(32, 600), st.floats(0, 0.7))
def test_tiles_cover_everything_and_overlap_enough(length: int, tile: int, share: float) -> None:
    overlap = int(tile * share)
    found = starts(length, tile, overlap)
    assert found[0] == 0 and found[-1] + tile >= length and (length <= tile or found[-1] + tile == length)
    assert all(b - a <= tile - overlap for a, b in pairwise(found))


@pytest.mark.parametrize("shape", [(130, 90), (40, 300), (64, 64), (50, 40)])
def test_the_identity_gives_back_the_image_and_a_constant_stays_one(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    for picture in (image, np.full(shape, 0.37, np.float32)):
        pieces = [(y, x, cut(picture, y, x, 64)) for y, x in places(shape, 64, 16)]
        assert np.abs(stitch(pieces, shape, 64, -1.0) - picture).max() < 1e-6


def test_what_no_tile_shows_is_background() -> None:
    assert (stitch([], (5, 5), 64, 0.25) == 0.25).all()


def test_a_tile_without_breast_is_not_read() -> None:
    mask = np.zeros((200, 200), bool)
    mask[:10, :8] = True
    assert worth_reading(mask, 0, 0, 60) and not worth_reading(mask, 0, 0, 100)


def test_weights_are_highest_in_the_middle_and_never_zero() -> None:
    w = weights(64)
    assert w.max() == w[31, 31] and w.min() > 0 and np.allclose(w, w.T)


def test_every_box_belongs_to_some_tile_and_none_to_an_inner_edge() -> None:
    shape, tile, overlap = (300, 500), 128, 32
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, 1, (400, 2)) * [shape[1], shape[0]]
    boxes = np.hstack([centres - 3, centres + 3])
    kept = np.zeros(400, int)
    for y, x in places(shape, tile, overlap):
        seen = (centres[:, 0] >= x) & (centres[:, 0] < x + tile) & (centres[:, 1] >= y) & (centres[:, 1] < y + tile)
        kept += seen & inner_boxes(boxes, y, x, tile, overlap, shape)
    assert kept.min() >= 1
