"""What a mark covers: its box, its area, its outline, and whether a point is inside.

A mark is a kind and a geometry: point [x, y]; box [x0, y0, x1, y1]; circle [cx, cy, r]; ellipse [cx, cy, rx, ry,
degrees], the angle from the x axis towards the y axis (clockwise on the screen); polygon [ring, hole, ...], each ring
[[x, y], ...] without a repeated last point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

KINDS = ("point", "box", "circle", "ellipse", "polygon")
ROUND_POINTS = 64
"""Corners of the polygon that stands for a circle or ellipse."""

Bounds = tuple[float, float, float, float]
Ring = list[list[float]]


def bounds(kind: str, geometry: Any) -> Bounds:
    """The smallest upright box (x0, y0, x1, y1) around a mark; a point's has no extent.

    Raises ValueError on an unknown kind, a ring of fewer than three points, or sides in the wrong order.
    """
    if kind == "point":
        x, y = map(float, geometry)
        box = (x, y, x, y)
    elif kind == "box":
        x0, y0, x1, y1 = map(float, geometry)
        box = (x0, y0, x1, y1)
    elif kind == "circle":
        x, y, r = map(float, geometry)
        box = (x - r, y - r, x + r, y + r)
    elif kind == "ellipse":
        x, y, rx, ry, degrees = map(float, geometry)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        w, h = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
        box = (x - w, y - h, x + w, y + h)
    else:
        outer = _rings(kind, geometry)[0]
        xs, ys = [float(p[0]) for p in outer], [float(p[1]) for p in outer]
        box = (min(xs), min(ys), max(xs), max(ys))
    if not all(math.isfinite(side) for side in box) or box[2] < box[0] or box[3] < box[1]:
        raise ValueError(f"a {kind} has no such sides: {box}")
    return box


def area(kind: str, geometry: Any) -> float:
    """Area in square pixels; holes are taken off, a point has none."""
    if kind == "point":
        return 0.0
    if kind == "circle":
        return math.pi * float(geometry[2]) ** 2
    if kind == "ellipse":
        return math.pi * float(geometry[2]) * float(geometry[3])
    if kind == "box":
        x0, y0, x1, y1 = bounds(kind, geometry)
        return (x1 - x0) * (y1 - y0)
    outer, *holes = _rings(kind, geometry)
    return max(abs(ring_area(outer)) - sum(abs(ring_area(hole)) for hole in holes), 0.0)


def contains(kind: str, geometry: Any, x: float, y: float) -> bool:
    """Whether a point lies inside; the edge of a round or upright shape counts as inside, a point holds only itself."""
    if kind == "point":
        return (float(geometry[0]), float(geometry[1])) == (x, y)
    if kind == "box":
        x0, y0, x1, y1 = bounds(kind, geometry)
        return x0 <= x <= x1 and y0 <= y <= y1
    if kind == "circle":
        cx, cy, r = map(float, geometry)
        return math.hypot(x - cx, y - cy) <= r
    if kind == "ellipse":
        cx, cy, rx, ry, degrees = map(float, geometry)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        u, v = (x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin
        return rx > 0 and ry > 0 and (u / rx) ** 2 + (v / ry) ** 2 <= 1.0
    outer, *holes = _rings(kind, geometry)
    return _in_ring(outer, x, y) and not any(_in_ring(hole, x, y) for hole in holes)


def polygon(kind: str, geometry: Any, points: int = ROUND_POINTS) -> list[Ring]:
    """The mark as rings, outer first. Round shapes get `points` corners on their edge; a point gives an empty list."""
    if kind == "point":
        return []
    if kind == "box":
        x0, y0, x1, y1 = bounds(kind, geometry)
        return [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]]
    if kind in ("circle", "ellipse"):
        cx, cy, rx, ry, degrees = map(float, geometry if kind == "ellipse" else (*geometry, geometry[2], 0.0))
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turns = [2 * math.pi * i / points for i in range(points)]
        edge = [(rx * math.cos(t), ry * math.sin(t)) for t in turns]
        return [[[cx + u * cos - v * sin, cy + u * sin + v * cos] for u, v in edge]]
    return [[[float(p[0]), float(p[1])] for p in ring] for ring in _rings(kind, geometry)]


def centre(kind: str, geometry: Any) -> tuple[float, float]:
    """Middle of the mark's box."""
    x0, y0, x1, y1 = bounds(kind, geometry)
    return (x0 + x1) / 2, (y0 + y1) / 2


def ring_area(ring: Sequence[Sequence[float]]) -> float:
    """Signed area of a ring, positive when it runs clockwise on the screen (y down)."""
    # Relative to the first corner: far from the origin the products would cancel badly.
    ox, oy = float(ring[0][0]), float(ring[0][1])
    moved = [(float(p[0]) - ox, float(p[1]) - oy) for p in ring]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(moved, moved[1:] + moved[:1], strict=True)) / 2


def _rings(kind: str, geometry: Any) -> Any:
    if kind != "polygon":
        raise ValueError(f"{kind!r} is not a kind of mark")
    if not geometry or any(len(ring) < 3 for ring in geometry):
        raise ValueError("a ring needs three points")
    return geometry


def _in_ring(ring: Sequence[Sequence[float]], x: float, y: float) -> bool:
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside
