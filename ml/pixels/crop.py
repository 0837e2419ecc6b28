"""What part of the canonical image is kept, and how it comes to its size. Source: methods.md 2.7."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.geometry import affine

MARGIN_MM = 5.0
MARGIN_ASSUMED_PX = 10.0
"""Margin where millimetres are only assumed."""


@dataclass(frozen=True)
class Frame:
    """matrix: canonical source pixels to network pixels; shape (rows, cols) of the result."""

    matrix: affine.Matrix
    shape: tuple[int, int]


def mask_box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Half-open box (x0, y0, x1, y1) of a mask; the whole image where it is empty."""
    if not mask.any():
        return 0, 0, mask.shape[1], mask.shape[0]
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def with_margin(
    box: tuple[int, int, int, int], margin: tuple[float, float], rows: int, cols: int
) -> tuple[float, float, float, float]:
    """The box grown by (x, y) margins and clipped to the image; never at the left, where the chest wall is."""
    x0, y0, x1, y1 = box
    return float(x0), max(y0 - margin[1], 0.0), min(x1 + margin[0], float(cols)), min(y1 + margin[1], float(rows))


def framed(
    box: tuple[float, float, float, float],
    k: tuple[float, float],
    *,
    size: tuple[int, int] | None,
    fit: Literal["pad", "squash"],
    max_long_px: int | None,
) -> Frame:
    """Crop to the box, scale by k = (kx, ky), then come to `size` (rows, cols) or stay under `max_long_px`.

    pad: at the chest wall, centred vertically, smaller if it must be; squash: each axis stretched to the size.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    cut = affine.shift(-box[0], -box[1])
    kx, ky = k
    if size is not None and fit == "squash":
        return Frame(affine.compose(cut, affine.scale(size[1] / width, size[0] / height)), size)
    shrink = 1.0
    if size is not None:
        shrink = min(1.0, size[1] / (kx * width), size[0] / (ky * height))
    if max_long_px is not None:
        shrink = min(shrink, max_long_px / max(kx * width, ky * height))
    kx, ky = kx * shrink, ky * shrink
    whole = affine.compose(cut, affine.scale(kx, ky))
    # Rounded first: 0.35 * 600 must not become 211 through the last bit.
    shape = (math.ceil(round(ky * height, 6)), math.ceil(round(kx * width, 6)))
    if size is None:
        return Frame(whole, shape)
    top = (size[0] - shape[0]) // 2
    return Frame(affine.compose(whole, affine.shift(0.0, float(top))), size)
