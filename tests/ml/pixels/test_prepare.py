import numpy as np
import pytest

from ml.geometry.affine import apply_points, invert
from ml.pixels.decode import Decoded
from ml.pixels.header import PixelInfo
from ml.pixels.prepare import PixelsConfig, prepare
from tests.ml.pixels.files import a_breast

SHAPE = (800, 600)


def a_view(side: str = "left", *, spot: tuple[float, float] | None = None, **info: object) -> Decoded:
    breast = a_breast(*SHAPE, side=side)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    pixels = np.where(breast, 1000 + 200 * np.sin(x / 40) + 200 * np.cos(y / 60), 0)
    if spot:
        pixels = pixels + 2500 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 162)
    known = {"spacing_mm": (0.2, 0.2), "presentation": "for_presentation", **info}
    return Decoded(pixels.astype(np.float32), PixelInfo(rows=SHAPE[0], cols=SHAPE[1], **known))


@pytest.mark.parametrize("window", ["percentile", "density"])
@pytest.mark.parametrize("size", [None, (200, 160)])
def test_a_prepared_image_is_in_its_range_and_dark_outside_the_breast(window: str, size: tuple[int, int]) -> None:
    found = prepare(a_view(), PixelsConfig(target_spacing_mm=0.8, window=window, size=size))
    assert found.x.dtype == np.float32 and found.x.min() >= 0 and found.x.max() == 1
    assert not found.x[~found.mask].any() and found.x.shape == found.mask.shape == (size or found.x.shape)
    assert found.flags == ()


def test_air_and_labels_stay_where_they_are_asked_for() -> None:
    decoded = a_view()
    decoded.pixels[20:60, 520:580] = 1400.0  # a label
    dark = prepare(decoded, PixelsConfig(target_spacing_mm=0.8, crop=False))
    seen = prepare(decoded, PixelsConfig(target_spacing_mm=0.8, crop=False, air=True))
    assert (seen.air, dark.air) == (True, False)
    assert np.array_equal(seen.mask, dark.mask) and np.array_equal(seen.x[seen.mask], dark.x[seen.mask])
    assert not dark.x[~dark.mask].any() and seen.x[6:14, 131:144].min() > 0.8


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("spacing", [0.2, 0.5, 0.8])
def test_a_bright_spot_is_found_where_the_affine_puts_it(side: str, spacing: float) -> None:
    spot = (223.37, 297.81) if side == "left" else (376.63, 297.81)
    config = PixelsConfig(target_spacing_mm=spacing, window="fixed", fixed=(0.0, 5000.0))
    found, without = prepare(a_view(side, spot=spot), config), prepare(a_view(side), config)
    assert np.array_equal(found.affine, without.affine)
    added = found.x - without.x
    j, i = np.mgrid[: added.shape[0], : added.shape[1]] + 0.5
    seen = [float((i * added).sum() / added.sum()), float((j * added).sum() / added.sum())]
    assert apply_points(invert(found.affine), [seen])[0] == pytest.approx(spot, abs=0.05)


def test_left_and_right_breasts_come_to_the_same_picture() -> None:
    left, right = a_view("left"), a_view("right")
    mirrored = Decoded(left.pixels[:, ::-1].copy(), right.info)
    config = PixelsConfig(target_spacing_mm=0.4)
    one, other = prepare(left, config), prepare(mirrored, config)
    assert np.abs(one.x - other.x).max() < 1e-5 and (one.mask == other.mask).all()
    assert one.affine[0, 0] > 0 > other.affine[0, 0]


@pytest.mark.trap(7)
def test_oblong_pixels_become_square_millimetres() -> None:
    found = prepare(a_view(spacing_mm=(0.4, 0.2)), PixelsConfig(target_spacing_mm=0.4))
    assert found.affine[1, 1] == pytest.approx(1.0) and found.affine[0, 0] == pytest.approx(0.5)
    assert found.mm_per_px == pytest.approx(0.4)


def test_what_is_assumed_or_failed_is_said() -> None:
    assert prepare(a_view(spacing_mm=None), PixelsConfig()).flags == ("spacing_assumed",)
    flat = Decoded(np.ones(SHAPE, np.float32), a_view().info)
    assert set(prepare(flat, PixelsConfig()).flags) == {"mask_failed", "flat"}
    conflict = prepare(a_view(patient_orientation=("P", "F")), PixelsConfig())
    assert conflict.flags == ("orientation_conflict",)


def test_a_long_image_is_shrunk_and_the_size_of_its_pixels_is_right() -> None:
    found = prepare(a_view(), PixelsConfig(target_spacing_mm=0.2, max_long_px=200))
    assert max(found.x.shape) == 200
    assert found.mm_per_px == pytest.approx(0.2 / found.affine[0, 0])


def test_the_whole_frame_can_be_kept() -> None:
    found = prepare(a_view(), PixelsConfig(target_spacing_mm=0.4, crop=False))
    assert found.x.shape == (400, 300)


def test_an_option_that_does_not_exist_is_refused() -> None:
    assert PixelsConfig.of({"size": [64, 64], "fit": "squash"}).size == (64, 64)
    with pytest.raises(TypeError, match="colour"):
        PixelsConfig.of({"colour": True})
