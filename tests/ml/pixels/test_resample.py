import numpy as np
import pytest

from ml.geometry import affine
from ml.pixels.resample import blur_sigma, resample, resample_mask


def spot(shape: tuple[int, int], x: float, y: float, sigma: float) -> np.ndarray:
    j, i = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def centroid(image: np.ndarray) -> tuple[float, float]:
    j, i = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return float((i * image).sum() / image.sum()), float((j * image).sum() / image.sum())


@pytest.mark.trap(8)
@pytest.mark.parametrize("turn", [0.0, 7.0, -33.0])
def test_content_lands_where_the_affine_says(turn: float) -> None:
    # methods.md 2.8 (b): a spot of sigma 9 px at a sub-pixel place; the centroid maps back within 0.05 px.
    source = spot((260, 300), 143.37, 117.81, 9.0)
    chain = affine.compose(
        affine.flip_x(300), affine.shift(-31, -12), affine.rotation(turn, 100, 90), affine.scale(0.35, 0.35)
    )
    seen = centroid(resample(source, chain, (100, 110)))
    assert affine.apply_points(affine.invert(chain), [seen])[0] == pytest.approx([143.37, 117.81], abs=0.05)


def test_the_identity_gives_the_image_back() -> None:
    image = np.random.default_rng(0).random((33, 47), dtype=np.float32)
    assert np.array_equal(resample(image, affine.identity(), (33, 47)), image)


def test_twice_as_large_is_what_bilinear_interpolation_gives() -> None:
    image = np.array([[0.0, 4.0]], np.float32)
    assert resample(image, affine.scale(2, 2), (2, 4))[0].tolist() == [0, 1, 3, 4]


def test_outside_the_source_is_zero() -> None:
    found = resample(np.ones((10, 10), np.float32), affine.shift(5, 3), (20, 20))
    assert found[3:13, 5:15].all() and found.sum() == 100


def test_shrinking_smooths_first_so_fine_stripes_become_grey() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (400, 200))
    small = resample(stripes, affine.scale(0.125, 0.125), (50, 50))
    assert np.abs(small[5:-5, 5:-5] - 0.5).max() < 0.01
    assert blur_sigma(2.0) == 0 and blur_sigma(0.25) == 1.5


def test_masks_stay_masks_and_keep_their_share() -> None:
    mask = np.zeros((200, 200), bool)
    mask[50:150, 20:120] = True
    small = resample_mask(mask, affine.scale(0.25, 0.25), (50, 50))
    assert small.dtype == bool and small.sum() == 25 * 25
