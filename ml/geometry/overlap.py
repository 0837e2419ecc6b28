"""How much boxes overlap. Boxes are half-open `[x0, y0, x1, y1]`, never with +1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pairwise_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Intersection over union of every box of a (N, 4) with every box of b (M, 4): (N, M) in [0, 1].

    Two boxes without area overlap by 0, also with themselves.
    """
    first, second = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0.0), axis=-1)
    union = _areas(first)[:, None] + _areas(second)[None] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    return float(pairwise_iou([a], [b])[0, 0])


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Dice overlap of two masks of one shape; two empty masks agree, 1.0."""
    total = int(a.sum()) + int(b.sum())
    return 1.0 if total == 0 else 2.0 * int((a & b).sum()) / total


def _areas(boxes: Floats) -> Floats:
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
