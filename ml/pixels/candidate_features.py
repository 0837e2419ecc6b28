"""What a region that may be a mass looks like, as numbers with names. Torch-free.

Source: the features that methods-17.md 3.13a lists; texture as in `ml.pixels.texture`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation
from skimage.measure import regionprops

from ml.pixels.texture import FEATURE_NAMES, texture_features

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
RING_PX = 3
SHAPE_NAMES = ("area", "perimeter", "compactness", "eccentricity", "solidity")
GREY_NAMES = ("mean", "std", "ring_mean", "ring_std", "contrast")
NAMES = (*SHAPE_NAMES, *GREY_NAMES, *FEATURE_NAMES)
"""What `candidate_features` holds, in its order: 5 + 5 + 64 = 74."""


def candidate_features(image: npt.ArrayLike, part: Mask, crop: npt.ArrayLike) -> Floats:
    """(74,) of a region `part` (H, W) of an image (H, W) in [0, 1]; the region holds at least one pixel.

    Compactness is 4 pi A / P^2; contrast the mean inside less that of the ring of 3 pixels around. Texture is that of
    `crop`, the region's box at a fixed size, so that a large region costs no more than a small one.
    """
    ys, xs = np.nonzero(part)
    near = (
        slice(max(ys.min() - RING_PX, 0), ys.max() + RING_PX + 1),
        slice(max(xs.min() - RING_PX, 0), xs.max() + RING_PX + 1),
    )
    pixels, own = np.asarray(image, np.float64)[near], part[near]
    (shape,) = regionprops(own.astype(np.uint8))
    perimeter = max(float(shape.perimeter), 1.0)
    ring = binary_dilation(own, iterations=RING_PX) & ~own
    around = pixels[ring] if ring.any() else np.zeros(1)
    inside = pixels[own]
    geometry = [
        float(shape.area), perimeter, 4 * np.pi * shape.area / perimeter**2, float(shape.eccentricity),
        float(shape.solidity),
    ]  # fmt: skip
    grey = [inside.mean(), inside.std(), around.mean(), around.std(), inside.mean() - around.mean()]
    return np.array([*geometry, *grey, *texture_features(crop)])
