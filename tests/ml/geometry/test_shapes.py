import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.geometry.shapes import area, bounds, centre, contains, polygon, ring_area

SQUARE = [[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]]
HOLED = [*SQUARE, [[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]]]
SHAPES: list[tuple[str, Any, tuple[float, ...], float]] = [
    ("point", [3, 4], (3, 4, 3, 4), 0),
    ("box", [1, 2, 5, 4], (1, 2, 5, 4), 8),
    ("circle", [10, 20, 3], (7, 17, 13, 23), 9 * math.pi),
    ("ellipse", [0, 0, 4, 2, 0], (-4, -2, 4, 2), 8 * math.pi),
    ("ellipse", [0, 0, 4, 2, 90], (-2, -4, 2, 4), 8 * math.pi),
    ("polygon", SQUARE, (0, 0, 4, 4), 16),
    ("polygon", HOLED, (0, 0, 4, 4), 12),
]
numbers = st.floats(-2000, 2000, allow_nan=False)
sizes = st.floats(0.5, 500)


@pytest.mark.parametrize(("kind", "geometry", "box", "covered"), SHAPES)
def test_every_kind_has_its_box_and_its_area(kind: str, geometry: Any, box: tuple[float, ...], covered: float) -> None:
    assert bounds(kind, geometry) == pytest.approx(box, abs=1e-12)
    assert area(kind, geometry) == pytest.approx(covered)
    assert centre(kind, geometry) == pytest.approx(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))


def test_a_tilted_ellipse_has_the_box_of_its_outline() -> None:
    outline = polygon("ellipse", [100, 50, 30, 10, 33], points=20_000)[0]
    xs, ys = [p[0] for p in outline], [p[1] for p in outline]
    assert bounds("ellipse", [100, 50, 30, 10, 33]) == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=1e-4)


def test_an_angle_runs_from_x_towards_y() -> None:
    assert contains("ellipse", [0, 0, 10, 1, 45], 5, 5) and not contains("ellipse", [0, 0, 10, 1, 45], 5, -5)


def test_a_hole_is_outside() -> None:
    assert contains("polygon", HOLED, 0.5, 0.5) and not contains("polygon", HOLED, 2, 2)
    assert not contains("polygon", HOLED, 5, 2)


def test_borders_of_round_and_upright_shapes_are_inside_and_a_point_holds_itself() -> None:
    assert contains("circle", [0, 0, 5], 3, 4) and contains("box", [0, 0, 2, 2], 2, 0)
    assert contains("point", [1, 2], 1, 2) and not contains("point", [1, 2], 1, 2.1)


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("polygon", []),
        ("polygon", [[[0, 0], [1, 1]]]),
        ("box", [5, 0, 1, 1]),
        ("circle", [0, 0, -1]),
        ("star", [1]),
        ("box", [0, 0, float("nan"), 1]),
    ],
)
def test_what_has_no_extent_is_refused(kind: str, geometry: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        bounds(kind, geometry)


@given(numbers, numbers, sizes, sizes, st.floats(-180, 180))
def test_the_polygon_of_an_ellipse_lies_on_its_edge(x: float, y: float, rx: float, ry: float, angle: float) -> None:
    geometry = [x, y, rx, ry, angle]
    ring = polygon("ellipse", geometry)[0]
    share = 64 / (2 * math.pi) * math.sin(2 * math.pi / 64)  # area of the 64-gon over that of the ellipse
    assert abs(ring_area(ring)) == pytest.approx(share * area("ellipse", geometry), rel=1e-6)
    for px, py in ring[::9]:
        assert contains("ellipse", geometry, x + 0.999 * (px - x), y + 0.999 * (py - y))
        assert not contains("ellipse", geometry, x + 1.001 * (px - x), y + 1.001 * (py - y))


@given(numbers, numbers, sizes, sizes)
def test_a_box_and_its_polygon_are_the_same_thing(x: float, y: float, w: float, h: float) -> None:
    box = [x, y, x + w, y + h]
    assert bounds("polygon", polygon("box", box)) == pytest.approx(bounds("box", box))
    assert area("polygon", polygon("box", box)) == pytest.approx(area("box", box), rel=1e-6)
