"""Whether a mark has a shape, and whether that shape lies in its image.

Coordinates are stored pixels of the image in corner convention: origin at the outer corner of the top-left pixel,
x to the right (0..cols), y down (0..rows), float64, never rounded.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from annotations.errors import GeometryInvalid, OutsideImage

TOLERANCE_PX = 1.0  # a mark drawn to the very edge may reach this far out; it is stored as drawn
MAX_POLYGON_POINTS = 20_000

Point = tuple[float, float]


class ImageExtent(Protocol):
    """What marks need to know of an image."""

    id: Any
    rows: int
    cols: int
    laterality: str


def check_geometry(kind: str, geometry: Any, image: ImageExtent, *, at: str) -> None:
    """A mark's shape is whole and lies in its image. Raises GeometryInvalid, OutsideImage; `at` is its JSON pointer.

    Boxes, polygons and points lie inside with all their points. Circles and ellipses have their centre inside and may
    overhang: a lesion at the edge of the film is drawn round, and what is outside is cut where it is used.
    """
    for x, y in _ANCHORS[kind](geometry, at):
        if not (-TOLERANCE_PX <= x <= image.cols + TOLERANCE_PX and -TOLERANCE_PX <= y <= image.rows + TOLERANCE_PX):
            raise OutsideImage(at=at, cols=image.cols, rows=image.rows)


def _numbers(geometry: Any, count: int, at: str) -> list[float]:
    if not isinstance(geometry, list) or len(geometry) != count:
        raise GeometryInvalid(at=at, problem=f"needs {count} numbers")
    if not all(_is_number(value) for value in geometry):
        raise GeometryInvalid(at=at, problem="needs finite numbers")
    return geometry


def _is_number(value: Any) -> bool:
    # bool is an int in Python; an int beyond float64 makes isfinite overflow, and no image is that large.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value)


def _point(geometry: Any, at: str) -> Sequence[Point]:
    x, y = _numbers(geometry, 2, at)
    return [(x, y)]


def _box(geometry: Any, at: str) -> Sequence[Point]:
    x0, y0, x1, y1 = _numbers(geometry, 4, at)
    if not (x0 < x1 and y0 < y1):
        raise GeometryInvalid(at=at, problem="needs x0 < x1 and y0 < y1")
    return [(x0, y0), (x1, y1)]


def _circle(geometry: Any, at: str) -> Sequence[Point]:
    cx, cy, r = _numbers(geometry, 3, at)
    if r <= 0:
        raise GeometryInvalid(at=at, problem="needs a radius above 0")
    return [(cx, cy)]


def _ellipse(geometry: Any, at: str) -> Sequence[Point]:
    cx, cy, rx, ry, _ = _numbers(geometry, 5, at)
    if rx <= 0 or ry <= 0:
        raise GeometryInvalid(at=at, problem="needs radii above 0")
    return [(cx, cy)]


def _polygon(geometry: Any, at: str) -> Sequence[Point]:
    if not isinstance(geometry, list) or not geometry:
        raise GeometryInvalid(at=at, problem="needs at least one ring")
    points: list[Point] = []
    for ring in geometry:
        points += _ring(ring, at)
        if len(points) > MAX_POLYGON_POINTS:
            raise GeometryInvalid(at=at, problem=f"has more than {MAX_POLYGON_POINTS} points")
    return points


def _ring(ring: Any, at: str) -> list[Point]:
    if not isinstance(ring, list) or len(ring) < 3:
        raise GeometryInvalid(at=at, problem="needs rings of at least 3 points")
    points = [(x, y) for x, y in (_numbers(point, 2, at) for point in ring)]
    if points[0] == points[-1]:
        raise GeometryInvalid(at=at, problem="repeats its first point at the end")
    if _area_px2(points) == 0:
        raise GeometryInvalid(at=at, problem="has no area")
    return points


def _area_px2(ring: Sequence[Point]) -> float:
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


_ANCHORS: dict[str, Callable[[Any, str], Sequence[Point]]] = {
    "point": _point,
    "box": _box,
    "circle": _circle,
    "ellipse": _ellipse,
    "polygon": _polygon,
}
