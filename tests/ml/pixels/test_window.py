import numpy as np
import pytest

from ml.pixels.header import PixelInfo, Window
from ml.pixels.window import applied, limits, voi
from tests.ml.pixels.files import a_breast

INFO = PixelInfo(rows=300, cols=220)


@pytest.mark.trap(2)
def test_the_linear_window_is_dicoms() -> None:
    # methods.md 2.1: c = 2048, w = 1000.
    assert voi([1548, 2047.5, 2547], Window(2048, 1000)).tolist() == pytest.approx([0, 0.5, 1])
    assert voi([1547, 2548], Window(2048, 1000)).tolist() == [0, 1]


@pytest.mark.trap(2)
def test_the_exact_and_the_sigmoid_window_are_others() -> None:
    assert voi([1548, 2048, 2548], Window(2048, 1000), "LINEAR_EXACT").tolist() == pytest.approx([0, 0.5, 1])
    curve = voi([1548, 2048, 2548], Window(2048, 1000), "SIGMOID")
    assert curve.tolist() == pytest.approx([1 / (1 + np.e**2), 0.5, 1 / (1 + np.e**-2)])


def test_a_window_of_width_one_is_a_step() -> None:
    assert voi([9, 10], Window(10, 1)).tolist() == [0, 1]


def test_percentiles_are_of_the_breast_alone() -> None:
    breast = a_breast()
    x = np.where(breast, np.random.default_rng(0).uniform(100, 200, breast.shape), 9999).astype(np.float32)
    low, high = limits(x, breast, "percentile", info=INFO, mm_per_px=1.0)
    assert 100 <= low < 101 and 199 < high <= 200


def test_the_density_window_starts_at_the_fat_under_the_skin() -> None:
    breast = a_breast()
    inner = np.zeros_like(breast)
    inner[100:200, :100] = True
    x = np.where(inner, 900, np.where(breast, 300, 0)).astype(np.float32)
    low, high = limits(x, breast, "density", info=INFO, mm_per_px=1.0)
    assert (low, high) == (300, 900)


def test_the_chest_wall_is_no_skin() -> None:
    breast = a_breast()
    x = np.where(breast, 300, 0).astype(np.float32)
    x[:, :3] = np.where(breast[:, :3], 5, 0)  # dark at the chest wall only
    assert limits(x, breast, "density", info=INFO, mm_per_px=5.0)[0] == 300


def test_the_headers_window_and_a_fixed_one_are_taken_as_they_are() -> None:
    breast = a_breast()
    x = breast.astype(np.float32)
    info = PixelInfo(rows=300, cols=220, windows=(Window(2048, 1000), Window(1, 2)))
    assert limits(x, breast, "voi", info=info, mm_per_px=1) == (1548, 2547)
    assert limits(x, breast, "fixed", info=info, mm_per_px=1, fixed=(3, 4)) == (3, 4)
    assert limits(x, breast, "voi", info=INFO, mm_per_px=1)[1] == 1


def test_outside_the_breast_is_zero_and_no_contrast_is_said() -> None:
    breast = a_breast()
    x, flags = applied(np.full(breast.shape, 0.5, np.float32), breast, 0, 1)
    assert flags == () and not x[~breast].any() and (x[breast] == 0.5).all()
    x, flags = applied(np.full(breast.shape, 0.5, np.float32), breast, 0.5, 0.5)
    assert flags == ("flat",) and not x.any()
