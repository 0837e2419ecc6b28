"""The blob baseline points at blobs of every size through any affine, and chance stays on the breast."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.baselines.lesions import brightest_blobs, random_boxes
from ml.evaluation.baselines.pixels import mm_per_pixel
from tests.ml.evaluation.reports.factories import an_image

ROW = {"image_id": "i", "rows": 400, "cols": 300, "spacing_mm": [0.2, 0.2]}
HALF = np.array([[0.5, 0, 10], [0, 0.5, 0], [0, 0, 1.0]])
"""Source to network: half the size, shifted by 10."""


def picture(discs, shape=(200, 170)):
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    base = np.full(shape, 0.3)
    for cx, cy, r, height in discs:
        base += height / (1 + np.exp(2 * (np.hypot(x - cx, y - cy) - r)))
    return an_image(base, mask=np.ones(shape, bool), affine=HALF)


@pytest.mark.parametrize("radius_mm", [3.0, 6.0, 12.0])
def test_the_brightest_blob_of_any_size_comes_first_in_source_pixels(radius_mm):
    image = picture([(80, 100, radius_mm / 0.4, 0.4)])
    boxes, scores = brightest_blobs(ROW, image, ["mass"])["mass"]
    assert (np.diff(scores) <= 0).all() and len(scores) <= 20
    x0, y0, x1, y1 = boxes[0]
    # Network (80, 100) is source ((80 - 10) / .5, 200).
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((140, 200), abs=6)
    assert 0.5 < (x1 - x0) / (3 * radius_mm / 0.2) < 1.6


def test_three_specks_together_are_a_cluster_and_one_alone_is_none():
    specks = [(60, 100, 0.8, 0.5), (66, 104, 0.8, 0.5), (62, 108, 0.8, 0.5)]
    boxes, _ = brightest_blobs(ROW, picture([*specks, (150, 30, 0.8, 0.9)]), ["calcification"])["calcification"]
    assert len(boxes) == 1
    x0, y0, x1, y1 = boxes[0]
    assert x0 < 100 and x1 > 112 and y0 < 200 and y1 > 216
    assert x1 - x0 < 40 and y1 - y0 < 40


def test_a_flat_image_has_no_blob():
    for finding in ("mass", "calcification"):
        boxes, scores = brightest_blobs(ROW, picture([]), [finding])[finding]
        assert len(boxes) == len(scores) <= 20 and (scores < 1e-6).all()


def test_nothing_is_proposed_off_the_breast():
    image = picture([(80, 100, 12, 0.4)])
    image.mask[:, 60:100] = False
    centres = brightest_blobs(ROW, image, ["mass"])["mass"][0].reshape(-1, 2, 2).mean(axis=1)[:, 0]
    assert not ((centres > 112) & (centres < 172)).any()


def test_chance_is_keyed_by_seed_and_image():
    image = picture([])
    first, again, other = (
        random_boxes({**ROW, "image_id": i}, image, [40.0], s) for i, s in (("a", 1), ("a", 1), ("b", 1))
    )
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[0], other[0])
    assert (first[0][:, 2] - first[0][:, 0]) == pytest.approx(40.0)
    empty = an_image(np.zeros((20, 20)), mask=np.zeros((20, 20), bool))
    assert random_boxes(ROW, empty, [40.0], 1)[0].shape == (0, 4)


def test_a_network_pixel_has_the_size_that_the_affine_gives_it():
    assert mm_per_pixel(ROW, picture([])) == pytest.approx(0.4)
    assert mm_per_pixel({**ROW, "spacing_mm": None}, picture([])) == pytest.approx(240 / 400 / 0.5)
