"""Outlines without a network: what is bright in the breast, or in the squares that a model was given, and discs.

Of a whole image the disc is the brightest blob's, of a square it lies in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.filters import threshold_otsu

from ml.evaluation.baselines.lesions import BOX_SIDE_RADII, brightest_blobs
from ml.evaluation.baselines.pixels import Prepared
from ml.geometry.affine import apply_boxes, invert
from ml.pixels.mark_masks import filled
from ml.pixels.resample import resample_mask
from ml.pixels.rois import Box

Mask = npt.NDArray[np.bool_]


def bright(image: Prepared, part: Mask | None = None) -> Mask:
    """What lies above Otsu's threshold of the breast, or of a part of it, in the prepared image's pixels."""
    x, mask = np.asarray(image.x, np.float64), np.asarray(image.mask, bool)
    if part is not None:
        mask = mask & part
    inside = x[mask]
    if len(inside) < 2 or np.ptp(inside) < 1e-6:
        return np.zeros(mask.shape, bool)
    return mask & (x > threshold_otsu(inside))


def bright_in_source(row: Mapping[str, Any], image: Prepared) -> Mask:
    """The same in source pixels (rows, cols)."""
    return resample_mask(bright(image), invert(image.affine), (row["rows"], row["cols"]))


def bright_in_squares(row: Mapping[str, Any], image: Prepared, squares: Sequence[Box]) -> Mask:
    """What is bright in each of some squares, by a threshold of its own; squares and answer in source pixels."""
    rows, cols = image.mask.shape
    found = np.zeros((rows, cols), bool)
    for box in apply_boxes(np.asarray(image.affine, np.float64), np.asarray(squares, np.float64)).tolist():
        found |= bright(image, filled("box", box, rows, cols))
    return resample_mask(found, invert(image.affine), (row["rows"], row["cols"]))


def mean_discs(row: Mapping[str, Any], squares: Sequence[Box], share: float) -> Mask:
    """A disc in the middle of each square that covers this share of it, source pixels."""
    found = np.zeros((row["rows"], row["cols"]), bool)
    for x0, y0, x1, y1 in squares:
        radius = float(np.sqrt(share * (x1 - x0) * (y1 - y0) / np.pi))
        found |= filled("circle", [(x0 + x1) / 2, (y0 + y1) / 2, radius], *found.shape)
    return found


def blob_disc(row: Mapping[str, Any], image: Prepared, finding: str) -> Mask:
    """The disc of the strongest blob for a finding in source pixels; empty where there is none."""
    boxes, _ = brightest_blobs(row, image, (finding,))[finding]
    if not len(boxes):
        return np.zeros((row["rows"], row["cols"]), bool)
    x0, y0, x1, y1 = boxes[0]
    radius = max(x1 - x0, y1 - y0) / BOX_SIDE_RADII
    return filled("circle", [(x0 + x1) / 2, (y0 + y1) / 2, radius], row["rows"], row["cols"])


def bright_tissue(row: Mapping[str, Any], image: Prepared) -> npt.NDArray[np.uint8]:
    """Background 0, fat 1, dense 2 by Otsu, in source pixels; the muscle is not told apart."""
    inside = resample_mask(np.asarray(image.mask, bool), invert(image.affine), (row["rows"], row["cols"]))
    classes: npt.NDArray[np.uint8] = inside.astype(np.uint8) + bright_in_source(row, image).astype(np.uint8)
    return classes
