"""Texture features: hand values, scikit-image's own numbers, what a turn and a shuffle do."""

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from ml.pixels import texture

SMALL = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]], np.uint8)


def noise(seed=0, side=40):
    """Smooth and rough parts, so that all angles and distances differ."""
    rng = np.random.default_rng(seed)
    x = rng.random((side, side))
    x[:, ::2] *= 0.6
    return np.clip(x + np.linspace(0, 0.3, side)[:, None], 0, 1)


def named(values, names):
    return dict(zip(names, values.tolist(), strict=True))


def test_a_small_matrix_has_the_computed_properties():
    matrix = texture.cooccurrence(SMALL + 1)[:, :, :1, :1]
    expected = {
        "contrast": 0.583333, "homogeneity": 0.808333, "energy": 0.381881, "correlation": 0.719533, "entropy": 2.094729,
    }  # fmt: skip
    for name, value in expected.items():
        assert graycoprops(matrix, name)[0, 0] == pytest.approx(value, abs=1e-6)
    features = named(texture.glcm_features(SMALL + 1), texture.GLCM_NAMES)
    contrast = graycoprops(texture.cooccurrence(SMALL + 1), "contrast")
    assert features["glcm_contrast_d1_mean"] == pytest.approx(contrast[0].mean())
    assert features["glcm_contrast_d2_range"] == pytest.approx(contrast[1].max() - contrast[1].min())


def test_there_are_64_and_96_names_without_doubles():
    assert len(texture.FEATURE_NAMES) == 64
    assert len(texture.VECTOR_NAMES) == len(set(texture.VECTOR_NAMES)) == 96
    assert texture.texture_features(noise()).shape == (64,)
    assert texture.texture_vector(noise()).shape == (96,)


def test_features_equal_the_formulas_of_the_specification():
    x = noise()
    mask = np.ones(x.shape, bool)
    levels = texture.quantised(x, mask)
    counts = graycomatrix(levels, [2], [np.pi / 4], levels=33, symmetric=True)[1:, 1:, 0, 0]
    p = counts / counts.sum()
    i, j = np.indices(p.shape)
    mi, mj = (i * p).sum(), (j * p).sum()
    correlation = ((i - mi) * (j - mj) * p).sum() / np.sqrt(((i - mi) ** 2 * p).sum() * ((j - mj) ** 2 * p).sum())
    wanted = {
        "contrast": ((i - j) ** 2 * p).sum(),
        "dissimilarity": (abs(i - j) * p).sum(),
        "homogeneity": (p / (1 + (i - j) ** 2)).sum(),
        "energy": np.sqrt((p**2).sum()),
        "correlation": correlation,
        "entropy": -(p[p > 0] * np.log(p[p > 0])).sum(),
    }
    for name, value in wanted.items():
        assert graycoprops(texture.cooccurrence(levels), name)[1, 1] == pytest.approx(value, abs=1e-10)


def test_a_constant_region_has_no_contrast_and_correlation_one():
    values = named(texture.texture_vector(np.full((20, 20), 0.4)), texture.VECTOR_NAMES)
    for d in texture.DISTANCES:
        assert values[f"glcm_contrast_d{d}_mean"] == 0
        assert values[f"glcm_correlation_d{d}_mean"] == 1
    assert values["entropy"] == values["std"] == values["skewness"] == values["kurtosis"] == 0
    assert values["lbp_8_1_8"] == 1.0
    assert values["gabor_8px_0deg_mean"] == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(list(values.values())).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_quarter_turn_permutes_the_angles_and_leaves_the_features(turns):
    x = noise()
    levels, turned = (texture.quantised(a, np.ones(a.shape, bool)) for a in (x, np.rot90(x, turns)))
    before, after = (graycoprops(texture.cooccurrence(a), "contrast") for a in (levels, turned))
    permuted = before[:, [2, 3, 0, 1]] if turns % 2 else before
    np.testing.assert_allclose(after, permuted, rtol=1e-10)
    assert abs(before[:, 0] - before[:, 2]).min() > 1e-3
    np.testing.assert_allclose(texture.glcm_features(turned), texture.glcm_features(levels), rtol=1e-9, atol=1e-12)


def test_nothing_outside_the_mask_counts():
    x, mask = noise(), np.zeros((40, 40), bool)
    mask[8:33, 5:30] = True
    other = np.where(mask, x, 1.0)
    np.testing.assert_allclose(texture.texture_vector(other, mask), texture.texture_vector(x, mask), atol=1e-12)


def test_a_pair_with_one_pixel_outside_is_no_pair():
    levels = np.array([[1, 0, 2], [1, 1, 2]], np.uint8)
    matrix = texture.cooccurrence(levels)[:3, :3, 0, 0]
    assert matrix[0, 0] == 0.5  # 1-1 in the second row, of two pairs: 1-1 and 1-2
    assert matrix[0, 1] == matrix[1, 0] == 0.25


def test_equal_histograms_of_different_texture_are_told_apart():
    x = np.repeat(np.repeat(noise(side=10), 4, 0), 4, 1)
    shuffled = np.random.default_rng(1).permutation(x.reshape(-1)).reshape(x.shape)
    mask = np.ones(x.shape, bool)
    np.testing.assert_allclose(
        texture.first_order_features(x, mask), texture.first_order_features(shuffled, mask), atol=1e-12
    )
    smooth, rough = (named(texture.texture_features(a), texture.FEATURE_NAMES) for a in (x, shuffled))
    assert rough["glcm_contrast_d1_mean"] > 2 * smooth["glcm_contrast_d1_mean"]


def test_gabor_energy_answers_to_its_own_wavelength_and_angle():
    column = np.arange(64)
    stripes = np.tile(0.5 + 0.4 * np.sin(2 * np.pi * column / 8), (64, 1))  # waves along a row: angle 0
    values = named(texture.gabor_features(stripes, np.ones((64, 64), bool)), texture.GABOR_NAMES)
    means = {name: value for name, value in values.items() if name.endswith("_mean")}
    assert max(means, key=means.get) == "gabor_8px_0deg_mean"


def test_patterns_count_neighbours_that_are_not_darker():
    x = np.zeros((5, 5))
    x[2, 2] = 1.0  # the middle is brighter than all: no neighbour counts; its neighbours have one darker side less
    histogram = texture.lbp_features(x, np.ones((5, 5), bool))[:10]
    assert histogram[0] == pytest.approx(1 / 9)
    assert histogram[8] == pytest.approx(8 / 9)
