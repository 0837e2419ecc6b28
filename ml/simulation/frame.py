"""The frame of a view: from the breast to the detector, and from there to pixels.

A view is a parallel projection. On the detector u runs from the chest wall to the nipple, v from the top downwards;
CC is seen from above, outer side up; MLO along the line from above and inside to below and outside, head up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ml.simulation.model import Floats

DETECTOR_MM = (240.0, 160.0)
_R2 = 2**-0.5
#: Rows: the directions of u, of v and of the beam in breast space.
AXES = {
    "CC": np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]),
    "MLO": np.array([[1.0, 0.0, 0.0], [0.0, -_R2, -_R2], [0.0, _R2, -_R2]]),
}


@dataclass(frozen=True)
class Frame:
    """One view at one pixel spacing. nipple_v_mm: height of the nipple's level; shift_u_mm: u of x = 0."""

    view: str
    spacing_mm: float
    nipple_v_mm: float
    shift_u_mm: float
    shape: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        rows, cols = (max(1, round(size / self.spacing_mm)) for size in DETECTOR_MM)
        object.__setattr__(self, "shape", (rows, cols))

    @property
    def side(self) -> str:
        return self.view[0]

    @property
    def projection(self) -> str:
        return self.view[2:]

    @property
    def axes(self) -> Floats:
        return AXES[self.projection]

    @property
    def u(self) -> Floats:
        """(1, cols): u of pixel centres, chest wall at the left whatever the side."""
        return ((np.arange(self.shape[1], dtype=np.float64) + 0.5) * self.spacing_mm)[None, :]

    @property
    def v(self) -> Floats:
        """(rows, 1): v of pixel centres."""
        return ((np.arange(self.shape[0], dtype=np.float64) + 0.5) * self.spacing_mm)[:, None]

    def project(self, points: Floats) -> Floats:
        """(..., 3) in the breast to (..., 2) as (u, v)."""
        return points @ self.axes[:2].T + np.array([self.shift_u_mm, self.nipple_v_mm])

    def window(self, centre: Floats, radius_mm: float) -> tuple[slice, slice]:
        """Rows and columns around (u, v), cut at the detector's edge."""
        spans = []
        for middle, size in zip((centre[1], centre[0]), self.shape, strict=True):
            first = int((middle - radius_mm) / self.spacing_mm)
            last = int((middle + radius_mm) / self.spacing_mm) + 1
            spans.append(slice(min(max(first, 0), size - 1), min(max(last, 1), size)))
        return spans[0], spans[1]

    def to_pixels(self, points: Floats) -> Floats:
        """(..., 2) as (u, v) to stored pixels (x, y), origin at the corner. Right breasts are stored mirrored."""
        x, y = points[..., 0] / self.spacing_mm, points[..., 1] / self.spacing_mm
        return np.stack([self.shape[1] - x if self.side == "R" else x, y], axis=-1)

    def as_stored(self, image: np.ndarray) -> np.ndarray:
        """From chest wall left to as stored."""
        return np.ascontiguousarray(image[:, ::-1]) if self.side == "R" else image
