"""What a region or a breast looks like in 21 numbers, for the regressions that stand beside the networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

Floats = npt.NDArray[np.float64]
BINS = 16


def features(x: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_]) -> Floats:
    """Mean, sd, centre minus ring, mean and sd of the gradient, histogram of 16 bins over [0, 1]; inside `mask`. (21,).

    The centre is what lies deeper in the mask than half of its greatest depth. An empty mask gives zeros.
    """
    pixels, inside = np.asarray(x, np.float64), np.asarray(mask, bool)
    if not inside.any():
        return np.zeros(BINS + 5)
    values = pixels[inside]
    # Padded, so that the border of the picture counts as a border of the mask.
    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    centre = depth > depth.max() / 2
    ring = inside & ~centre
    contrast = pixels[centre].mean() - (pixels[ring].mean() if ring.any() else pixels[centre].mean())
    gradient = np.hypot(*np.gradient(pixels))[inside] if min(pixels.shape) > 1 else np.zeros(1)
    histogram = np.histogram(values, bins=BINS, range=(0.0, 1.0))[0] / len(values)
    return np.r_[values.mean(), values.std(), contrast, gradient.mean(), gradient.std(), histogram]
