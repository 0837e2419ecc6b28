"""Other people's coordinates and ours, each way.

Ours: corner origin at the top left, y down, see `ml.geometry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.geometry import shapes


def mini_mias_circle(x: float, y: float, r: float, rows: int = 1024) -> tuple[float, float, float]:
    """mini-MIAS gives (x, y, r) with y from the bottom; ours is (x, rows - y, r)."""
    return float(x), float(rows - y), float(r)


def to_mini_mias_circle(circle: Sequence[float], rows: int = 1024) -> tuple[float, float, float]:
    """Our circle as mini-MIAS writes it."""
    x, y, r = map(float, circle)
    return x, rows - y, r


def coco_bbox(kind: str, geometry: Any) -> list[float]:
    """COCO's `[x, y, width, height]`, top-left corner, of a mark's box; it has the same corner origin as ours."""
    x0, y0, x1, y1 = shapes.bounds(kind, geometry)
    return [x0, y0, x1 - x0, y1 - y0]


def box_of_coco(bbox: Sequence[float]) -> list[float]:
    """Our box of COCO's `[x, y, width, height]`."""
    x, y, width, height = map(float, bbox)
    return [x, y, x + width, y + height]


def coco_segmentation(kind: str, geometry: Any) -> list[list[float]]:
    """COCO's polygons, each `[x0, y0, x1, y1, ...]`. A point has none.

    COCO knows no holes (a second polygon is added, not taken off), so only the outer ring is given; the mark's own
    geometry travels beside it.
    """
    rings = shapes.polygon(kind, geometry)
    return [[value for point in rings[0] for value in point]] if rings else []


def polygon_of_coco(segmentation: Sequence[Sequence[float]]) -> list[shapes.Ring]:
    """Rings of COCO's polygons; each is an outer ring of its own."""
    return [[[float(x), float(y)] for x, y in zip(flat[::2], flat[1::2], strict=True)] for flat in segmentation]


def to_centre_convention(x: float, y: float) -> tuple[float, float]:
    """From our corner origin to one where the centre of the first pixel is (0, 0), as array indices are."""
    return x - 0.5, y - 0.5


def from_centre_convention(x: float, y: float) -> tuple[float, float]:
    """From array indices, where the centre of the first pixel is (0, 0), to our corner origin."""
    return x + 0.5, y + 0.5


def dicom_sr_points(points: Sequence[Sequence[float]]) -> list[list[float]]:
    """Points as DICOM SR's SCOORD has them: column and row from the top-left corner of the first pixel at (0, 0).

    PS3.3 C.18.6.1.1 puts (0, 0) at the outer corner and (0.5, 0.5) at the centre, as we do: this is a copy.
    """
    return [[float(x), float(y)] for x, y in points]
