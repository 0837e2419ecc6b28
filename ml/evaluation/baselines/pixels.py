"""What the baselines ask of an image: `ml.pixels.prepare.Prepared`, or anything with its three fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ml.geometry.affine import scale_of

ASSUMED_LONG_SIDE_MM = 240.0
"""The long side of a film or detector of unknown spacing."""


class Prepared(Protocol):
    """x (H, W) in [0, 1], mask (H, W) True on the breast, affine (3, 3) from source to network pixels."""

    @property
    def x(self) -> npt.NDArray[np.floating]: ...

    @property
    def mask(self) -> npt.NDArray[np.bool_]: ...

    @property
    def affine(self) -> npt.NDArray[np.floating]: ...


Loader = Callable[[dict[str, Any]], Prepared]
"""From a manifest row to its prepared image."""


def mm_per_pixel(row: Mapping[str, Any], prepared: Prepared) -> float:
    """Size of a network pixel: the source's spacing over the affine's scale (geometric mean of both axes)."""
    spacing = row.get("spacing_mm") or [ASSUMED_LONG_SIDE_MM / max(row["rows"], row["cols"])] * 2
    return float(np.sqrt(spacing[0] * spacing[1])) / scale_of(prepared.affine)
