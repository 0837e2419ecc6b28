"""One polarity for everything: dense tissue is bright.

Source: PS3.3 C.7.6.3.1.2 (MONOCHROME1), C.8.11.3.1.2 (Pixel Intensity Relationship and its sign).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.pixels.header import PixelInfo

Floats = npt.NDArray[np.float32]
BORDER = 0.02
"""Share of the width that counts as the border strip where only air is."""
AIR_PERCENTILE = 99.9


def inverted(x: Floats, *, bits_stored: int | None, signed: bool) -> Floats:
    """Low becomes high within the range that the stored bits can hold; within its own range where that is unknown."""
    if bits_stored is None:
        return x.min() + x.max() - x
    top = -1.0 if signed else float(2**bits_stored - 1)
    return np.float32(top) - x


def exposure(x: Floats, info: PixelInfo, *, signed: bool) -> Floats:
    """What the detector received, from a For Processing image: more exposure is more.

    Without a sign in the header, air tells: it is at the border away from the chest wall, and brightest.
    """
    upside_down = info.intensity_sign == -1 if info.intensity_sign else not _air_is_high(x, info)
    return inverted(x, bits_stored=info.bits_stored, signed=signed) if upside_down else x


def attenuation(e: Floats, relation: str | None) -> Floats:
    """How much of the beam the breast took, from the exposure; 0 in air, more where it is denser."""
    air = float(np.percentile(e, AIR_PERCENTILE))
    if relation == "LOG":
        return np.maximum(np.float32(air) - e, 0).astype(np.float32)
    return np.maximum(np.log(max(air, 1.0)) - np.log(np.maximum(e, 1.0)), 0).astype(np.float32)


def _air_is_high(x: Floats, info: PixelInfo) -> bool:
    width = max(1, round(x.shape[1] * BORDER))
    left, right = x[:, :width], x[:, -width:]
    facing = (info.patient_orientation or ("", ""))[0][:1]
    if facing in ("A", "P"):
        air = right if facing == "A" else left
    else:  # Nobody says where the chest wall is: air is the flatter of the two borders.
        air = min(left, right, key=lambda strip: float(np.std(strip)))
    rest = x[:, width:] if air is left else x[:, :-width]
    # The mean, not the median: around a small breast most of the rest is air as well.
    return float(np.median(air)) > float(rest.mean(dtype=np.float64))
