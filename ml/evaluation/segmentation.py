"""How well an outline agrees with the reader's: overlap, and distance between the surfaces in millimetres.

Masks are bool (H, W) in source pixels; spacing is (dy, dx) in mm. Outside the image is background.

Source: definitions as in MedPy; MONAI's 95 % distance is the larger of the two directed percentiles instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects, generate_binary_structure

from ml.evaluation.undefined import Undefined
from ml.geometry.overlap import dice

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def iou(a: Mask, b: Mask) -> float:
    """|A and B| / |A or B|; as with `dice`, both empty agree fully (count such images apart), one empty is 0."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def surface_distances(a: Mask, b: Mask, spacing: tuple[float, float]) -> Floats:
    """Distances from each surface pixel of either mask to the other's surface, pooled, in mm.

    Raises Undefined (one_side_empty) where a mask is empty.
    """
    if not a.any() or not b.any():
        raise Undefined("one_side_empty")
    # Only what lies between the two matters, and a lesion is small: the rest of the image is not looked at.
    both = find_objects((a | b).astype(np.uint8))[0]
    surface_a, surface_b = _surface(a[both]), _surface(b[both])
    to_a = distance_transform_edt(~surface_a, sampling=spacing)
    to_b = distance_transform_edt(~surface_b, sampling=spacing)
    return np.r_[to_b[surface_a], to_a[surface_b]]


def hausdorff(a: Mask, b: Mask, spacing: tuple[float, float], percent: float = 95.0) -> float:
    """The 95th percentile (100: the maximum) of the pooled surface distances, mm."""
    return float(np.percentile(surface_distances(a, b, spacing), percent))


def mean_surface_distance(a: Mask, b: Mask, spacing: tuple[float, float]) -> float:
    """Mean of the pooled surface distances (ASSD), mm."""
    return float(surface_distances(a, b, spacing).mean())


def compare(a: Mask, b: Mask, spacing: tuple[float, float] | None) -> dict[str, Any]:
    """All figures of one image: None for distances without spacing or with one side empty, with the reason.

    `hd95_mm_or_diagonal` puts the image's diagonal where one side is empty, so that a missed outline has its price.
    """
    found: dict[str, Any] = {
        "dice": dice(a, b), "iou": iou(a, b), "both_empty": not (a.any() or b.any()),
        "hd95_mm": None, "assd_mm": None, "hd95_mm_or_diagonal": None,
    }  # fmt: skip
    if spacing is None:
        return found | {"reason": "no_spacing"}
    try:
        distances = surface_distances(a, b, spacing)
    except Undefined as undefined:
        diagonal = float(np.hypot(a.shape[0] * spacing[0], a.shape[1] * spacing[1]))
        return found | {"reason": undefined.reason, "hd95_mm_or_diagonal": None if found["both_empty"] else diagonal}
    hd95 = float(np.percentile(distances, 95))
    return found | {"hd95_mm": hd95, "assd_mm": float(distances.mean()), "hd95_mm_or_diagonal": hd95}


def _surface(mask: Mask) -> Mask:
    return mask & ~binary_erosion(mask, structure=generate_binary_structure(2, 1), border_value=0)
