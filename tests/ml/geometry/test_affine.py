from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.geometry import affine
from ml.geometry.shapes import area, bounds

CHAIN = affine.compose(affine.flip_x(300), affine.shift(-31, -12), affine.scale(0.35, 0.35))


def test_the_worked_example() -> None:
    # methods.md 2.8: W = 300, flip, crop (31, 12), scale 0.07 / 0.2.
    assert np.allclose(CHAIN, [[-0.35, 0, 94.15], [0, 0.35, -4.2], [0, 0, 1]], atol=1e-12)
    assert affine.apply_points(CHAIN, [[213.37, 97.81]])[0] == pytest.approx([19.4705, 30.0335], abs=1e-4)


@pytest.mark.trap(8)
def test_a_thousand_points_come_back_where_they_were() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        chain = affine.compose(
            affine.flip_x(rng.uniform(500, 3000)),
            affine.shift(*rng.uniform(-200, 200, 2)),
            affine.scale(*rng.uniform(0.05, 3, 2)),
            affine.rotation(rng.uniform(-180, 180), *rng.uniform(0, 1000, 2)),
            affine.transpose(),
        )
        points = rng.uniform(0, 4000, (1000, 2))
        back = affine.apply_points(affine.invert(chain), affine.apply_points(chain, points))
        assert np.abs(back - points).max() < 0.01


def test_flips_twice_are_nothing_and_a_quarter_turn_four_times_too() -> None:
    for step in (affine.flip_x(70), affine.flip_y(9), affine.transpose()):
        assert np.allclose(affine.compose(step, step), np.eye(3))
    assert np.allclose(affine.compose(*[affine.rotation(90, 5, 8)] * 4), np.eye(3))


def test_a_positive_turn_is_clockwise_on_the_screen() -> None:
    assert affine.apply_points(affine.rotation(90, 0, 0), [[1, 0]])[0] == pytest.approx([0, 1])


def test_boxes_map_by_their_corners() -> None:
    assert affine.apply_boxes(affine.flip_x(100), [[10, 5, 30, 9]]).tolist() == [[70, 5, 90, 9]]
    turned = affine.apply_boxes(affine.rotation(45, 0, 0), [[-1, -1, 1, 1]])[0]
    assert turned == pytest.approx([-(2**0.5), -(2**0.5), 2**0.5, 2**0.5])
    assert affine.apply_boxes(CHAIN, []).shape == (0, 4)


def test_what_cannot_be_undone_is_refused() -> None:
    with pytest.raises(ValueError, match="inverted"):
        affine.invert(affine.scale(0, 1))


MARKS: list[tuple[str, Any]] = [
    ("point", [30.0, 40.0]),
    ("box", [10.0, 20.0, 50.0, 44.0]),
    ("circle", [60.0, 70.0, 12.0]),
    ("ellipse", [60.0, 70.0, 12.0, 5.0, 30.0]),
    ("polygon", [[[0.0, 0.0], [9.0, 1.0], [5.0, 8.0]], [[4.0, 2.0], [5.0, 2.0], [5.0, 3.0]]]),
]


@pytest.mark.parametrize(("kind", "geometry"), MARKS)
@given(turn=st.floats(-180, 180), k=st.floats(0.2, 5), dx=st.floats(-50, 50))
def test_a_mark_keeps_its_area_times_the_scale(kind: str, geometry: Any, turn: float, k: float, dx: float) -> None:
    matrix = affine.compose(affine.rotation(turn, 3, 4), affine.scale(k, k), affine.shift(dx, 0), affine.flip_x(80))
    moved_kind, moved = affine.apply_mark(matrix, kind, geometry)
    # A round shape that becomes a polygon of 64 corners loses 0.16 % of its area.
    assert area(moved_kind, moved) == pytest.approx(area(kind, geometry) * k * k, rel=2e-3, abs=1e-9)


def test_marks_keep_their_kind_where_they_can() -> None:
    assert affine.apply_mark(CHAIN, "box", [31, 12, 131, 112])[0] == "box"
    assert affine.apply_mark(CHAIN, "circle", [31, 12, 10]) == ("circle", pytest.approx([83.3, 0, 3.5]))
    kind, geometry = affine.apply_mark(affine.scale(1, 2), "circle", [0, 0, 10])
    assert kind == "polygon" and bounds(kind, geometry) == pytest.approx((-10, -20, 10, 20))
    assert affine.apply_mark(affine.rotation(10, 0, 0), "box", [0, 0, 5, 5])[0] == "polygon"


def test_the_scale_of_a_chain_is_what_a_length_grows_by() -> None:
    assert affine.scale_of(CHAIN) == pytest.approx(0.35)
    assert affine.scale_of(affine.scale(2, 0.5)) == pytest.approx(1)
