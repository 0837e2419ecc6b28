"""Connected parts of a probability map: what a map says there is, as boxes with scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage


@dataclass(frozen=True)
class Components:
    """Best first: boxes (N, 4) float32 in pixels of the map, scores (N,) the mean probability inside, parts (H, W)."""

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    parts: tuple[npt.NDArray[np.bool_], ...]


def components(
    map_: npt.NDArray[np.floating], threshold: float, min_area_px: float = 1.0, most: int = 100
) -> Components:
    """Parts of `map_` (H, W) over the threshold that touch by an edge and have an area of at least `min_area_px`."""
    labels, count = ndimage.label(map_ > threshold)
    slices = ndimage.find_objects(labels)
    found = []
    for n in range(count):
        part = labels == n + 1
        if part.sum() >= min_area_px:
            ys, xs = slices[n]
            found.append((float(map_[part].mean()), (xs.start, ys.start, xs.stop, ys.stop), part))
    found.sort(key=lambda item: -item[0])
    found = found[:most]
    return Components(
        np.array([box for _, box, _ in found], np.float32).reshape(-1, 4),
        np.array([score for score, _, _ in found], np.float32),
        tuple(part for _, _, part in found),
    )
