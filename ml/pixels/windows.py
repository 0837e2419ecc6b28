"""A grid of squares over the breast: how a method that reads regions looks at an image in which nobody marked any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.geometry.affine import apply_boxes, invert
from ml.pixels.prepare import Prepared
from ml.pixels.rois import LEAST_BREAST, Box, Roi
from ml.pixels.tiles import starts

WINDOW_MM = 30.0
OVERLAP = 0.5


def windows_of(row: Mapping[str, Any], prepared: Prepared, window_mm: float = WINDOW_MM) -> list[Roi]:
    """Squares of `window_mm`, half overlapping, that are at least half breast; the fullest one where none is.

    They have no label: nobody has looked at them.
    """
    rows, cols = prepared.mask.shape
    side = max(1, min(round(window_mm / prepared.mm_per_px), rows, cols))
    found: list[tuple[float, tuple[int, int, int, int]]] = []
    for top in starts(rows, side, int(side * OVERLAP)):
        for left in starts(cols, side, int(side * OVERLAP)):
            share = float(prepared.mask[top : top + side, left : left + side].mean())
            found.append((share, (left, top, left + side, top + side)))
    full = [box for share, box in found if share >= LEAST_BREAST] or [max(found)[1]]
    boxes = apply_boxes(invert(prepared.affine), np.array(full, np.float64))
    limits = [row["cols"], row["rows"]] * 2
    return [
        Roi(
            image_id=row["image_id"],
            exam_id=row["exam_id"],
            patient_id=row["patient_id"],
            split=row["split"],
            box=_box(np.clip(box, 0, limits)),
            label="",
            finding_id=None,
            kind="window",
            number=n,
        )
        for n, box in enumerate(boxes)
    ]


def _box(sides: npt.NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = sides.tolist()
    return x0, y0, x1, y1
