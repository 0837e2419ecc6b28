"""From stored values to [0, 1]: a window for learning, and the header's own for looking. Source: methods.md 2.6."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ml.pixels.header import PixelInfo, Window

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Kind = Literal["percentile", "density", "fixed", "voi"]

LOW, HIGH = 0.5, 99.8
FAT_PERCENTILE, FAT_BAND_MM = 2.0, 10.0
FLAT = 1e-6


def limits(
    x: Floats, mask: Mask, kind: Kind, *, info: PixelInfo, mm_per_px: float, fixed: tuple[float, float] | None = None
) -> tuple[float, float]:
    """(low, high) that become 0 and 1.

    percentile: of the breast. density: low is the fat under the skin, so that the share of dense tissue stays visible.
    fixed: as given. voi: the header's first window, else percentile.
    """
    inside = x[mask] if mask.any() else x.ravel()
    if kind == "fixed":
        assert fixed is not None, "a fixed window needs its limits"
        return fixed
    if kind == "voi" and info.windows:
        first = info.windows[0]
        return first.center - 0.5 - (first.width - 1) / 2, first.center - 0.5 + (first.width - 1) / 2
    high = float(np.percentile(inside, HIGH))
    if kind == "density":
        band = x[_outer_band(mask, FAT_BAND_MM / mm_per_px)]
        return float(np.percentile(band if band.size else inside, FAT_PERCENTILE)), high
    return float(np.percentile(inside, LOW)), high


def applied(x: Floats, mask: Mask, low: float, high: float) -> tuple[Floats, tuple[str, ...]]:
    """The image in [0, 1], 0 outside the mask; all 0 and flagged `flat` where there is no contrast."""
    if high - low < FLAT:
        return np.zeros_like(x, dtype=np.float32), ("flat",)
    scaled = np.clip((x - low) / (high - low), 0, 1)
    return np.where(mask, scaled, 0).astype(np.float32), ()


def voi(values: npt.ArrayLike, window: Window, function: str = "LINEAR") -> Floats:
    """Modality values as the header wants them shown, in [0, 1]. Source: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    x = np.asarray(values, np.float64)
    c, w = window.center, window.width
    if function == "SIGMOID":
        return (1.0 / (1.0 + np.exp(-4.0 * (x - c) / w))).astype(np.float32)
    if function == "LINEAR_EXACT":
        return np.clip((x - c) / w + 0.5, 0, 1).astype(np.float32)
    # LINEAR counts values from centre - 0.5; a width of 1 is a step.
    if w <= 1:
        return (x > c - 0.5).astype(np.float32)
    return np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1).astype(np.float32)


def _outer_band(mask: Mask, width_px: float) -> Mask:
    """The part of the breast within this distance of its outline; the image's edge (chest wall) is no outline."""
    depth = int(np.ceil(width_px)) + 1
    padded = np.pad(mask, depth, mode="edge")
    distance = ndimage.distance_transform_edt(padded)[depth:-depth, depth:-depth]
    return mask & (distance <= width_px)
