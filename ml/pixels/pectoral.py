"""The pectoral muscle of an MLO view, as the triangle above a straight line. Source: methods.md 2.3.

The image is in canonical orientation: chest wall at the left, head at the top. A line is x cos t + y sin t = d, with t
its angle from the vertical, in pixels of the image given, corner origin; the muscle is where the left side is less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import canny
from skimage.transform import hough_line, hough_line_peaks

from ml.geometry.affine import scale
from ml.pixels.crop import mask_box
from ml.pixels.resample import resample, resample_mask

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

ABSENT = "pectoral_absent"
WORKING_MM = 0.8
HEIGHT, WIDTH = 0.7, 0.8
"""The part of the breast's box in which the line is looked for; narrower windows miss wide muscles."""
ANGLES = np.deg2rad(np.arange(15.0, 65.01, 0.5))
SMOOTH, FINE, LOW, HIGH = 2.0, 1.0, 0.01, 0.03
OUTLINE_PX, CORNER_PX, BAND_PX, PEAKS = 4, 5.0, 7.0, 10
LEAST_STEP = 0.03
LARGEST = 0.35
"""A muscle of more than this share of the breast is none."""


@dataclass(frozen=True)
class Line:
    """angle t in radians from the vertical, distance d in pixels of the image that was given."""

    angle: float
    distance: float


@dataclass(frozen=True)
class Muscle:
    """mask (H, W), empty where no muscle was found; line; flags is ("pectoral_absent",) then."""

    mask: Mask
    line: Line | None = None
    flags: tuple[str, ...] = (ABSENT,)


def pectoral(x: Floats, breast: Mask, mm_per_px: float) -> Muscle:
    """The muscle in a canonical image x (H, W) in [0, 1] whose breast is `breast` (H, W)."""
    nothing = Muscle(np.zeros_like(breast))
    k = mm_per_px / WORKING_MM
    shape = (math.ceil(k * x.shape[0]), math.ceil(k * x.shape[1]))
    if not breast.any() or min(shape) < 4 * BAND_PX:
        return nothing
    small, inside = resample(x, scale(k, k), shape), resample_mask(breast, scale(k, k), shape)
    line = _best_line(small, inside)
    if line is None:
        return nothing
    line = Line(line.angle, line.distance / k)
    muscle = _beyond(line, x.shape) & breast
    if not 0 < muscle.sum() <= LARGEST * breast.sum():
        return nothing
    return Muscle(muscle, line, ())


def _best_line(x: Floats, inside: Mask) -> Line | None:
    """The line, in pixels of this image, with the strongest gradient along it and the largest step across it."""
    x0, y0, x1, y1 = mask_box(inside)
    window = (
        slice(y0, y0 + max(1, round(HEIGHT * (y1 - y0)))),
        slice(x0, x0 + max(1, round(WIDTH * (x1 - x0)))),
    )
    part, own = ndimage.gaussian_filter(x, SMOOTH)[window], inside[window]
    edges = canny(part, sigma=FINE, low_threshold=LOW, high_threshold=HIGH) & _well_inside(inside)[window]
    strength = ndimage.gaussian_gradient_magnitude(part, FINE)
    votes, angles, distances = hough_line(edges, theta=ANGLES)
    best, line = 0.0, None
    for _, angle, distance in zip(*hough_line_peaks(votes, angles, distances, num_peaks=PEAKS), strict=True):
        # hough_line counts pixel centres, lines here count corners.
        here = Line(float(angle), float(distance) + 0.5 * (math.cos(angle) + math.sin(angle)))
        score = _score(part, own, strength, here)
        if score > best:
            best = score
            line = Line(here.angle, here.distance + x0 * math.cos(here.angle) + y0 * math.sin(here.angle))
    return line


def _well_inside(inside: Mask) -> Mask:
    """Farther than a few pixels from the outline; the image's edge is no outline."""
    padded = np.pad(inside, OUTLINE_PX + 1, mode="edge")
    deep = ndimage.distance_transform_edt(padded) > OUTLINE_PX
    cut = slice(OUTLINE_PX + 1, -OUTLINE_PX - 1)
    return np.asarray(deep[cut, cut])


def _score(part: Floats, own: Mask, strength: Floats, line: Line) -> float:
    """Gradient on the line times the step across it; 0 for a line that cannot be the muscle's edge."""
    top, left = line.distance / math.cos(line.angle), line.distance / math.sin(line.angle)
    if min(top, left) <= CORNER_PX:
        return 0.0
    away = _away(line, part.shape)
    above, below = own & (away < 0) & (away > -BAND_PX), own & (away > 0) & (away < BAND_PX)
    if not above.any() or not below.any():
        return 0.0
    step = float(part[above].mean() - part[below].mean())
    return step * float(strength[own & (np.abs(away) <= 0.5)].sum()) if step > LEAST_STEP else 0.0


def _away(line: Line, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Signed distance of each pixel's centre from the line, negative on the muscle's side."""
    row, col = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray(col * math.cos(line.angle) + row * math.sin(line.angle) - line.distance)


def _beyond(line: Line, shape: tuple[int, ...]) -> Mask:
    return _away(line, shape) < 0
