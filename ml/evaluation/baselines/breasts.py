"""Breasts without a network: their texture, their brightest spot, and what differs between left and right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ml.evaluation.baselines.pixels import Prepared

Floats = npt.NDArray[np.float64]
SPOT_MM = 5.0
SMOOTH_MM = 3.0
DIFFERENT = 0.1
"""Grey values in [0, 1] by which left and right must differ for a place to count."""


def brightest_spot(image: Prepared, mm: float) -> float:
    """The highest value of the smoothed breast, in [0, 1]; `mm` is the size of a pixel."""
    mask = np.asarray(image.mask, bool)
    return float(_smoothed(image, SPOT_MM / mm)[mask].max()) if mask.any() else 0.0


def left_right(right: Prepared, left: Prepared, mm: float) -> tuple[float, float]:
    """Difference of the two breasts in one view: of their means, and the share of the area that differs by .1.

    Both images have the chest wall at the left; they are laid over each other at the height of their centres.
    """
    means = [float(np.asarray(side.x)[side.mask].mean()) if np.asarray(side.mask).any() else 0.0
             for side in (right, left)]  # fmt: skip
    a, b = _smoothed(right, SMOOTH_MM / mm), _smoothed(left, SMOOTH_MM / mm)
    x, own = _together((a, np.asarray(right.mask, bool)), (b, np.asarray(left.mask, bool)))
    both = own[0] & own[1]
    share = float((np.abs(x[0] - x[1]) > DIFFERENT)[both].mean()) if both.any() else 0.0
    return abs(means[0] - means[1]), share


def _smoothed(image: Prepared, sigma: float) -> Floats:
    """Blurred inside the breast alone: the background must not darken its edge."""
    mask = np.asarray(image.mask, bool)
    value = gaussian_filter(np.where(mask, image.x, 0.0).astype(np.float64), sigma, truncate=3.0)
    weight = gaussian_filter(mask.astype(np.float64), sigma, truncate=3.0)
    return np.where(mask, value / np.maximum(weight, 1e-3), 0.0)


def _together(*sides: tuple[Floats, npt.NDArray[np.bool_]]) -> tuple[list[Floats], list[npt.NDArray[np.bool_]]]:
    """Pictures and masks in one frame, chest walls and heights of the centres aligned."""
    centre = [int(np.flatnonzero(mask.any(axis=1)).mean()) if mask.any() else mask.shape[0] // 2 for _, mask in sides]
    above = max(centre)
    below = max(mask.shape[0] - c for (_, mask), c in zip(sides, centre, strict=True))
    width = max(mask.shape[1] for _, mask in sides)
    pictures, masks = [], []
    for (x, mask), c in zip(sides, centre, strict=True):
        pad = ((above - c, below - (mask.shape[0] - c)), (0, width - mask.shape[1]))
        pictures.append(np.pad(x, pad))
        masks.append(np.pad(mask, pad))
    return pictures, masks
