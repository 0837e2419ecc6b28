"""Probes ask for what they say: labels in the masks, and no leak through brightness.

Leak test: a logistic regression on mean, spread, maximum, 95th percentile, breast area and the difference of the two
halves must stay below an AUC of 0.65 on unseen probes, for each class against the rest.
"""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.simulation import probes
from ml.simulation.probes import DENSE_SHARES, Images, Probe

FAMILIES = {
    "graded_density": (probes.graded_density, 48),
    "density_one_view": (probes.density_one_view, 32),
    "mass_sizes": (probes.mass_sizes, 64),
}
LEAK = 0.65


def statistics(x: Images) -> np.ndarray:
    """(n, 6) of whole samples; the halves are left and right of the middle column."""
    middle = x.shape[-1] // 2
    flat = x.reshape(len(x), -1)
    halves = x[..., :middle].reshape(len(x), -1).mean(1) - x[..., middle:].reshape(len(x), -1).mean(1)
    high = np.percentile(flat, 95, axis=1)
    return np.stack([flat.mean(1), flat.std(1), flat.max(1), high, (flat > 0).mean(1), halves], axis=1)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_brightness_does_not_tell_the_label(family: str) -> None:
    make, size = FAMILIES[family]
    (x, y, _), (x_test, y_test, _) = make(400, 1, size), make(400, 2, size)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(statistics(x), y)
    said = model.predict_proba(statistics(x_test))
    for label in np.unique(y):
        assert roc_auc_score(y_test == label, said[:, label]) < LEAK


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_is_balanced_in_range_and_the_same_for_the_same_seed(family: str) -> None:
    make, size = FAMILIES[family]
    first, second, other = make(24, 3, size), make(24, 3, size), make(24, 4, size)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert first[0].tobytes() != other[0].tobytes()
    x, y, masks = first
    assert (x.dtype, y.dtype, masks.dtype) == (np.float32, np.int64, np.uint8)
    assert x.shape == masks.shape and x.shape[-1] == size and x.min() == 0 and x.max() < 1
    assert np.ptp(np.bincount(y)) == 0


def _dense_shares(make: Callable[..., Probe]) -> tuple[np.ndarray, np.ndarray]:
    x, y, masks = make(40, 5, 64)
    return y, masks.reshape(len(x), -1).sum(1) / (x.reshape(len(x), -1) > 0).sum(1)


def test_the_dense_share_is_that_of_the_class() -> None:
    y, share = _dense_shares(probes.graded_density)
    assert np.allclose(share, np.array(DENSE_SHARES)[y], atol=0.01)


def test_one_view_of_four_shows_the_density() -> None:
    _, _, masks = probes.density_one_view(40, 5, 64)
    shown = masks.reshape(40, 4, -1).sum(2) > 0
    assert (shown.sum(1) == 1).all() and (shown.sum(0) > 0).all()


def test_dense_tissue_is_rough_where_fat_is_smooth() -> None:
    x, _, masks = probes.graded_density(20, 6, 64)
    steps = np.abs(np.diff(x, axis=2))
    inside = (x[:, :, 1:] > 0) & (x[:, :, :-1] > 0)
    dense = inside & (masks[:, :, 1:] > 0) & (masks[:, :, :-1] > 0)
    assert steps[dense].mean() > 2 * steps[inside & (masks[:, :, 1:] == 0)].mean()


def test_masses_of_three_sizes_are_where_their_boxes_say() -> None:
    x, y, masks = probes.mass_sizes(60, 7, 96)
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    for image, label, mask in zip(x, y, masks, strict=True):
        found = probes.boxes(mask)
        assert len(found) == label
        for x0, y0, x1, y1 in found.astype(int):
            assert image[y0:y1, x0:x1][mask[y0:y1, x0:x1] > 0].mean() > image[image > 0].mean() + 0.1
            assert mask[y0:y1, x0:x1].astype(bool).sum() == (mask > 0).sum()


def test_distractors_are_brighter_than_masses() -> None:
    x, y, masks = probes.mass_sizes(60, 8, 96)
    brightest = [image == image.max() for image in x[y == 1]]
    assert np.mean([mask[peak].any() for mask, peak in zip(masks[y == 1], brightest, strict=True)]) < 0.5
