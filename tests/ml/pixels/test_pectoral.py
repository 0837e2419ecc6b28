"""The muscle of an MLO view is found where it is, and not where there is none (methods.md 2.3)."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from ml.datasets import ddsm_tissue_seg
from ml.geometry.overlap import dice
from ml.pixels.decode import Decoded, decode
from ml.pixels.header import PixelInfo
from ml.pixels.pectoral import ABSENT, pectoral
from ml.pixels.prepare import PixelsConfig, prepare
from ml.pixels.resample import resample_mask
from ml.simulation.phantom import exam
from tests.ml.pixels.files import a_breast

MM = 0.8


def triangle(seed: int, *, present: bool = True, clouds: float = 0.03) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, breast and muscle: a brighter triangle at a drawn angle in a breast of cloudy tissue."""
    rng = np.random.default_rng(seed)
    breast = a_breast(260, 160)
    field = ndimage.gaussian_filter(rng.standard_normal(breast.shape), 6)
    x = 0.4 + clouds * field / field.std() + rng.normal(0, 0.01, breast.shape)
    angle, left = math.radians(rng.uniform(20, 45)), rng.uniform(70, 130)
    row, col = np.mgrid[: breast.shape[0], : breast.shape[1]] + 0.5
    top = np.flatnonzero(breast[:, 0])[0]
    muscle = breast & (col * math.cos(angle) + (row - top) * math.sin(angle) < left * math.sin(angle)) & present
    return np.where(breast, np.clip(x + 0.25 * muscle, 0, 1), 0).astype(np.float32), breast, muscle


@pytest.mark.parametrize("clouds", [0.03, 0.06])
def test_a_bright_triangle_is_found(clouds: float) -> None:
    for seed in range(20):
        x, breast, muscle = triangle(seed, clouds=clouds)
        found = pectoral(x, breast, MM)
        assert found.flags == () and dice(found.mask, muscle) > 0.95, seed


def test_without_a_muscle_nothing_is_removed_and_it_is_said() -> None:
    """In quiet tissue. Where clouds are twice as strong a line is seen in a third of such images."""
    for seed in range(20):
        x, breast, _ = triangle(seed, present=False)
        found = pectoral(x, breast, MM)
        assert found.flags == (ABSENT,) and not found.mask.any() and found.line is None, seed


@pytest.mark.parametrize("shape", [(10, 8), (260, 160)])
def test_an_image_that_is_tiny_or_empty_has_none(shape: tuple[int, int]) -> None:
    assert pectoral(np.zeros(shape, np.float32), np.zeros(shape, bool), MM).flags == (ABSENT,)
    assert pectoral(np.ones(shape, np.float32), np.ones(shape, bool), MM).flags == (ABSENT,)


def test_the_line_is_given_in_pixels_of_the_image_that_came() -> None:
    x, breast, _ = triangle(3)
    twice = pectoral(np.kron(x, np.ones((2, 2), np.float32)), np.kron(breast, np.ones((2, 2))) > 0, MM / 2)
    once = pectoral(x, breast, MM)
    assert once.line is not None and twice.line is not None
    assert twice.line.distance == pytest.approx(2 * once.line.distance, rel=0.03)
    assert twice.line.angle == pytest.approx(once.line.angle, abs=math.radians(2))


def phantom(view: str, seed: int) -> tuple[Decoded, np.ndarray]:
    image = exam(seed, density="c", views=(view,), spacing_mm=0.4).images[view]
    info = PixelInfo(
        rows=image.pixels.shape[0], cols=image.pixels.shape[1], view=view[2:], presentation="for_presentation",
        spacing_mm=(0.4, 0.4),
    )  # fmt: skip
    return Decoded(image.pixels.astype(np.float32), info), image.muscle


@pytest.mark.parametrize("view", ["R-MLO", "L-MLO"])
def test_the_muscle_of_a_phantom_leaves_the_mask_only_where_it_is_asked_for(view: str) -> None:
    decoded, muscle = phantom(view, 4)
    config = PixelsConfig(target_spacing_mm=0.8)
    kept, cut = prepare(decoded, config), prepare(decoded, PixelsConfig(target_spacing_mm=0.8, pectoral=True))
    truth = resample_mask(muscle, kept.affine, kept.mask.shape) & kept.mask
    assert dice(kept.mask & ~cut.mask, truth) > 0.9 and cut.flags == ()
    assert (cut.x[~cut.mask] == 0).all() and np.array_equal(cut.x[cut.mask], kept.x[cut.mask])


def test_a_cc_view_is_left_as_it_is() -> None:
    decoded, _ = phantom("R-CC", 4)
    kept, asked = (prepare(decoded, PixelsConfig(target_spacing_mm=0.8, pectoral=p)) for p in (False, True))
    assert np.array_equal(kept.mask, asked.mask) and kept.flags == asked.flags


def test_muscles_of_real_films_are_where_they_were_drawn(shared_data: Path) -> None:
    folder, agreed = shared_data / "ddsm-tissue-seg", []
    for row in ddsm_tissue_seg.manifest_rows(folder)[::4]:
        info = PixelInfo(rows=row.rows, cols=row.cols, view="MLO", presentation="film")
        decoded = decode(folder / row.pixel_path, pixel_format="png8", given=info)
        kept = prepare(decoded, PixelsConfig(target_spacing_mm=0.8))
        labels = np.asarray(Image.open(folder / row.findings[0].marks[0].geometry["path"]))
        truth = resample_mask(labels == 255, kept.affine, kept.mask.shape) & kept.mask
        agreed.append(dice(pectoral(kept.x, kept.mask, kept.mm_per_px).mask, truth))
    assert np.median(agreed) > 0.93, sorted(agreed)
