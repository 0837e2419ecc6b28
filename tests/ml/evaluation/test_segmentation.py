"""Overlap and surface distance: the worked example, symmetry, and empty masks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from ml.evaluation import segmentation as s
from ml.evaluation.undefined import Undefined
from ml.geometry.overlap import dice

near = partial(pytest.approx, abs=1e-6)
masks = arrays(bool, (9, 7))
#: What MONAI says to itself.
OLDER = pytest.mark.filterwarnings("ignore:monai.metrics.utils:FutureWarning")


def box(rows, cols, size=12):
    mask = np.zeros((size, size), bool)
    mask[rows[0] : rows[1] + 1, cols[0] : cols[1] + 1] = True
    return mask


A, B = box((2, 6), (2, 6)), box((3, 8), (4, 7))


def test_e8_the_worked_example_comes_out():
    assert (A.sum(), B.sum(), (A & B).sum()) == (25, 24, 12)
    assert (dice(A, B), s.iou(A, B)) == near((0.4897959, 0.3243243))
    unit, real = (1.0, 1.0), (0.5, 0.25)
    assert (s.hausdorff(A, B, unit, 100), s.hausdorff(A, B, unit), s.mean_surface_distance(A, B, unit)) == near(
        (2.2360680, 2.1062306, 1.2281426)
    )
    assert (s.hausdorff(A, B, real, 100), s.hausdorff(A, B, real), s.mean_surface_distance(A, B, real)) == near(
        (1.0307764, 1.0, 0.4329974)
    )


@pytest.fixture(scope="module")
def monai():
    """The metrics of another library, of two masks (H, W) and a spacing in mm."""
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")

    def of(name, a, b, **more):
        pair = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (a, b))
        return float(getattr(metrics, name)(*pair, include_background=True, **more))

    return of


@OLDER
def test_e8_is_what_monai_says_whose_95_percent_is_another_figure_of_the_same_distances(monai):
    """It takes the larger of the two directed percentiles, we the percentile of both pooled."""
    assert monai("compute_hausdorff_distance", A, B, percentile=95) == near(2.0590170)
    pooled, own = s.surface_distances(A, B, (1.0, 1.0)), len(surface(A))
    assert max(np.percentile(part, 95) for part in (pooled[:own], pooled[own:])) == near(2.0590170)
    assert s.hausdorff(A, B, (1.0, 1.0)) == near(2.1062306)


@OLDER
@pytest.mark.parametrize("seed", range(20))
def test_overlap_and_distances_are_those_of_monai(monai, seed):
    rng = np.random.default_rng(seed)
    a, b = (gaussian_filter(rng.normal(size=(40, 30)), 3) > 0.02 for _ in range(2))
    spacing = tuple(rng.uniform(0.1, 1, 2).tolist())
    assert dice(a, b) == near(monai("compute_dice", a, b))
    assert s.hausdorff(a, b, spacing, 100) == near(monai("compute_hausdorff_distance", a, b, spacing=list(spacing)))
    assert s.mean_surface_distance(a, b, spacing) == near(
        monai("compute_average_surface_distance", a, b, symmetric=True, spacing=list(spacing))
    )


@given(masks, masks)
def test_agreement_is_symmetric(a, b):
    assert dice(a, b) == dice(b, a) and 0 <= s.iou(a, b) <= dice(a, b) <= 1
    if a.any() and b.any():
        assert s.hausdorff(a, b, (0.5, 0.25)) == near(s.hausdorff(b, a, (0.5, 0.25)))


@given(masks, st.floats(0.1, 10))
def test_distances_scale_with_the_spacing(a, k):
    a[0, 0] = True
    b = a[::-1, ::-1].copy()
    assert s.hausdorff(a, b, (k, 2 * k)) == pytest.approx(k * s.hausdorff(a, b, (1, 2)), rel=1e-9)


def test_empty_masks_agree_with_each_other_and_with_nothing_else():
    empty = np.zeros_like(A)
    assert (dice(empty, empty), s.iou(empty, empty), dice(A, empty), s.iou(A, empty)) == (1, 1, 0, 0)
    with pytest.raises(Undefined):
        s.hausdorff(A, empty, (1, 1))
    missed = s.compare(A, empty, (0.5, 0.25))
    assert (missed["hd95_mm"], missed["reason"]) == (None, "one_side_empty")
    assert missed["hd95_mm_or_diagonal"] == near(np.hypot(6, 3))
    assert s.compare(empty, empty, (1, 1))["both_empty"]


def test_without_spacing_there_are_no_millimetres():
    found = s.compare(A, B, None)
    assert (found["hd95_mm"], found["reason"], found["dice"]) == (None, "no_spacing", near(0.4897959))
    assert s.compare(A, B, (0.5, 0.25))["assd_mm"] == near(0.4329974)


def test_distances_equal_those_of_all_pairs_of_surface_pixels():
    rng = np.random.default_rng(7)
    for _ in range(30):
        a, b = (rng.random((14, 11)) < rng.uniform(0.02, 0.6) for _ in range(2))
        a[rng.integers(14), rng.integers(11)] = b[rng.integers(14), rng.integers(11)] = True
        pairs = np.linalg.norm((surface(a)[:, None] - surface(b)[None]) * [0.5, 0.3], axis=-1)
        pooled = np.r_[pairs.min(axis=1), pairs.min(axis=0)]
        assert s.hausdorff(a, b, (0.5, 0.3)) == near(np.percentile(pooled, 95))
        assert s.mean_surface_distance(a, b, (0.5, 0.3)) == near(pooled.mean())


def surface(mask):
    """Pixels of a mask with a 4-neighbour outside it, (N, 2)."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.argwhere(mask & ~inner)
