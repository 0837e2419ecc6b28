"""The breast is found again on drawn films and digital images whose truth is known (methods.md 2.2: Dice 0.97)."""

from typing import Literal

import numpy as np
import pytest
from scipy import ndimage

from ml.geometry.overlap import dice
from ml.pixels.breast_mask import breast_mask, otsu
from ml.simulation.phantom import exam
from tests.ml.pixels.files import a_breast

SHAPE = (1200, 900)


def tissue(seed: int, level: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clouds = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 25)
    return level + 0.12 * clouds / clouds.std()


def digital(side: str = "left", level: float = 0.35) -> tuple[np.ndarray, np.ndarray]:
    breast = a_breast(*SHAPE, side=side)
    return np.where(breast, np.clip(tissue(1, level), 0.05, 1) * 3500, 0).astype(np.float32), breast


def film() -> tuple[np.ndarray, np.ndarray]:
    """Noise in the background, a label, a bright strip at the edge, black padding beside it."""
    pixels, breast = digital()
    noisy = pixels / 3500 * 200 + np.random.default_rng(2).normal(8, 2.5, SHAPE)
    noisy[40:150, 720:860] = 245
    noisy[:14] = 250
    return np.pad(noisy, ((0, 0), (150, 150))).astype(np.float32), np.pad(breast, ((0, 0), (150, 150)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_digital_breast_is_found(side: str) -> None:
    pixels, breast = digital(side)
    found = breast_mask(pixels)
    assert found.flags == () and dice(found.mask, breast) > 0.97


def test_a_dense_breast_is_found_whole() -> None:
    pixels, breast = digital(level=0.75)
    assert dice(breast_mask(pixels).mask, breast) > 0.97


def test_a_film_is_found_between_its_label_its_bright_edge_and_its_padding() -> None:
    pixels, breast = film()
    found = breast_mask(pixels, film=True)
    assert found.flags == () and dice(found.mask, breast) > 0.97


def test_the_mask_does_not_depend_on_scale_or_offset_of_the_values() -> None:
    pixels, _ = digital()
    assert dice(breast_mask(pixels).mask, breast_mask(pixels * 0.1 + 77).mask) > 0.999


@pytest.mark.parametrize("density", ["a", "d"])
def test_phantom_breasts_are_found_in_every_view(density: Literal["a", "d"]) -> None:
    for view, image in exam(3, density=density, spacing_mm=0.6).images.items():
        found = breast_mask(image.pixels.astype(np.float32))
        assert found.flags == () and dice(found.mask, image.breast) > 0.97, view


@pytest.mark.parametrize("pixels", [np.zeros(SHAPE), np.full(SHAPE, 7.0), np.tile(np.arange(900.0), (1200, 1)) * 0 + 3])
def test_without_a_breast_the_whole_image_is_taken_and_said_so(pixels: np.ndarray) -> None:
    found = breast_mask(pixels.astype(np.float32))
    assert found.flags == ("mask_failed",) and found.mask.all()


def test_otsu_parts_two_heaps() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0.2, 0.03, 5000), rng.normal(0.7, 0.05, 2000)]).astype(np.float32)
    assert 0.28 < otsu(values) < 0.6
