"""The breast is found again on drawn films and digital images whose truth is known (methods.md 2.2: Dice 0.97)."""

from typing import Literal

import numpy as np
import pytest
from scipy import ndimage

from ml.geometry.overlap import dice
from ml.pixels.breast_mask import breast_mask, otsu
from ml.pixels.header import PixelInfo
from ml.pixels.orientation import canonical_turn
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


def rimmed_film() -> tuple[np.ndarray, np.ndarray]:
    """A film whose tissue ends well within the skin: a dark rim of fat over a grey base, muscle bright at the top."""
    breast = a_breast(*SHAPE)
    depth = ndimage.distance_transform_edt(np.pad(breast, ((0, 0), (1, 0)), mode="edge"))[:, 1:]
    grey = np.where(breast, 50 + 110 * np.clip(depth / 160, 0, 1) ** 2, 30) + 12 * tissue(3, 0.0) * breast
    row, col = np.mgrid[: SHAPE[0], : SHAPE[1]]
    grey[(row + 2 * col < 900) & breast] = 235
    return (grey + np.random.default_rng(4).normal(0, 2, SHAPE)).astype(np.float32), breast


def test_the_dark_rim_under_the_skin_of_a_film_is_breast() -> None:
    pixels, breast = rimmed_film()
    found = breast_mask(pixels, film=True)
    assert found.flags == () and dice(found.mask, breast) > 0.97


def test_muscle_at_the_edge_of_a_film_is_no_frame() -> None:
    """As on DDSM films, where the muscle was cut off along the chest wall for its brightness."""
    pixels, breast = rimmed_film()
    pixels[:, :60][breast[:, :60]] = 235
    assert breast_mask(pixels, film=True).mask[breast.any(axis=1), 0].mean() > 0.9


@pytest.mark.parametrize(("start", "stop"), [(0.86, 0.96), (0.93, 1.0), (0.97, 0.99)])
def test_a_scanners_strip_beside_the_breast_is_left_out(start: float, stop: float) -> None:
    """As on mdb131 and mdb132: a strip as bright as anything, from top to bottom, along the far edge."""
    pixels, breast = rimmed_film()
    wide = np.pad(pixels, ((0, 0), (0, 400)), constant_values=30)
    strip = slice(int(start * wide.shape[1]), int(stop * wide.shape[1]))
    wide[:, strip] = 255
    found = breast_mask(wide, film=True)
    assert found.flags == () and dice(found.mask, np.pad(breast, ((0, 0), (0, 400)))) > 0.97
    assert canonical_turn(found.mask, PixelInfo(rows=1200, cols=1300, view="MLO")).flip_x is False


def test_a_breast_that_fills_its_frame_is_found_whole_also_between_black_padding() -> None:
    """As in CDD-CESM, where only dense tissue was taken once the padding was cut off."""
    rows, cols = SHAPE
    breast = np.ones(SHAPE, bool)
    row, col = np.mgrid[:rows, :cols]
    breast[(col - 700) / 200 + np.abs(row - 600) / 600 > 1.2] = False
    assert breast.mean() > 0.82
    grey = np.where(breast, 25 + 150 * np.exp(-(((row - 650) / 220) ** 2 + ((col - 500) / 220) ** 2)), 0)
    padded, truth = (np.pad(a, ((0, 0), (150, 150))) for a in (grey, breast))
    found = breast_mask(padded.astype(np.float32))
    assert found.flags == () and dice(found.mask, truth) > 0.97


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
