"""One 3 x 3 matrix from source pixels to network pixels, made of flips, crops, scales, pads and rotations.

Points are (x, y) in corner convention, so a matrix needs no half-pixel terms; only sampling adds them: output pixel
(i, j) reads the source at `inverse(A) (i + 0.5, j + 0.5) - 0.5` in array indices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.geometry import shapes

Matrix = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]


def identity() -> Matrix:
    """The map that changes nothing."""
    return np.eye(3)


def shift(dx: float, dy: float) -> Matrix:
    """x' = x + dx, y' = y + dy: a pad, or a crop with negative numbers."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def scale(kx: float, ky: float) -> Matrix:
    """x' = kx x, y' = ky y, about the corner of the image."""
    return np.diag([kx, ky, 1.0])


def flip_x(width: float) -> Matrix:
    """Left and right exchanged in an image of this width: x' = width - x."""
    return np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def flip_y(height: float) -> Matrix:
    """Top and bottom exchanged in an image of this height: y' = height - y."""
    return np.array([[1.0, 0.0, 0.0], [0.0, -1.0, height], [0.0, 0.0, 1.0]])


def transpose() -> Matrix:
    """Rows become columns."""
    return np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def rotation(degrees: float, cx: float, cy: float) -> Matrix:
    """A turn about (cx, cy), clockwise on the screen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return compose(shift(-cx, -cy), turn, shift(cx, cy))


def compose(*steps: Matrix) -> Matrix:
    """One matrix for the steps, the first applied first."""
    whole = identity()
    for step in steps:
        whole = step @ whole
    return whole


def invert(matrix: npt.ArrayLike) -> Matrix:
    """The way back. Raises ValueError where there is none."""
    m = np.asarray(matrix, np.float64)
    if abs(np.linalg.det(m)) < 1e-15:
        raise ValueError("the map cannot be inverted")
    inverse: Matrix = np.linalg.inv(m).astype(np.float64)
    return inverse


def apply_points(matrix: npt.ArrayLike, points: npt.ArrayLike) -> Floats:
    """Map points (N, 2)."""
    m, p = np.asarray(matrix, np.float64), np.asarray(points, np.float64).reshape(-1, 2)
    return p @ m[:2, :2].T + m[:2, 2]


def apply_boxes(matrix: npt.ArrayLike, boxes: npt.ArrayLike) -> Floats:
    """Upright boxes (N, 4) around the mapped corners; a rotation makes them larger."""
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    corners = np.stack([b[:, [0, 1]], b[:, [2, 1]], b[:, [2, 3]], b[:, [0, 3]]], axis=1)
    mapped = apply_points(matrix, corners.reshape(-1, 2)).reshape(-1, 4, 2)
    return np.concatenate([mapped.min(axis=1), mapped.max(axis=1)], axis=1)


def apply_mark(matrix: npt.ArrayLike, kind: str, geometry: Any) -> tuple[str, Any]:
    """A mark where the map puts it, as (kind, geometry).

    A box stays a box only where the map turns by quarter circles, a circle only under equal scales; else it becomes a
    polygon, which is exact for a box and has `shapes.ROUND_POINTS` corners for a round shape.
    """
    m = np.asarray(matrix, np.float64)
    if kind == "point":
        return kind, apply_points(m, geometry)[0].tolist()
    if kind == "box" and _upright(m):
        return kind, apply_boxes(m, geometry)[0].tolist()
    if kind == "circle" and (factor := _equal_scale(m)) is not None:
        return kind, [*apply_points(m, geometry[:2])[0].tolist(), float(geometry[2]) * factor]
    return "polygon", [apply_points(m, ring).tolist() for ring in shapes.polygon(kind, geometry)]


def scale_of(matrix: npt.ArrayLike) -> float:
    """Network pixels per source pixel, the geometric mean of both axes."""
    return math.sqrt(abs(float(np.linalg.det(np.asarray(matrix, np.float64)[:2, :2]))))


def _upright(m: Matrix) -> bool:
    straight = abs(m[0, 1]) + abs(m[1, 0]) < 1e-12
    turned = abs(m[0, 0]) + abs(m[1, 1]) < 1e-12
    return straight or turned


def _equal_scale(m: Matrix) -> float | None:
    a, b = m[:2, 0], m[:2, 1]
    na, nb = float(np.hypot(*a)), float(np.hypot(*b))
    return na if abs(na - nb) < 1e-9 * max(na, nb) and abs(float(a @ b)) < 1e-9 * na * nb else None
