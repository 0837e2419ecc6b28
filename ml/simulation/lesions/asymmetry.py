"""Focal asymmetry: more fibroglandular tissue in one breast than in the other, without a border of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.simulation.frame import Frame
from ml.simulation.lesions.shape import Canvas, Lesion, offsets
from ml.simulation.model import Bools, Floats, Mark
from ml.simulation.texture import power_law

_STRENGTH = 0.34


@dataclass
class Asymmetry(Lesion):
    """half_axes: along x, y and z in mm."""

    subtype: str
    centre: Floats
    radius_mm: float
    half_axes: Floats
    texture_seed: int

    @classmethod
    def draw(cls, generator: np.random.Generator, centre: Floats, subtype: str, size_mm: float) -> Asymmetry:
        half_axes = size_mm / 2 * generator.uniform(0.75, 1.0, 3)
        return cls(subtype, centre, float(half_axes.max()), half_axes, int(generator.integers(2**31)))

    def paint(self, canvas: Canvas) -> Bools:
        frame = canvas.frame
        middle = frame.project(self.centre)
        window = frame.window(middle, 2.2 * self.radius_mm)
        du, dv = offsets(frame, middle, window)
        a, b = self._half_axes_in(frame)
        distance = np.sqrt((du / a) ** 2 + (dv / b) ** 2)
        generator = np.random.Generator(np.random.PCG64([self.texture_seed, len(frame.view)]))
        patchy = power_law(generator, distance.shape, frame.spacing_mm, beta=3.0, coarsest_mm=12)
        cloud = np.exp(-(np.clip(distance + 0.12 * patchy, 0, None) ** 3) * 0.9) * np.clip(1 + 0.28 * patchy, 0, 2)
        canvas.share[window] += _STRENGTH * cloud * (1 - np.clip(canvas.share[window], 0, 1))
        mask = np.zeros(frame.shape, dtype=bool)
        mask[window] = distance <= 1
        return mask

    def mark(self, frame: Frame, mask: Bools) -> Mark:
        x, y = frame.to_pixels(frame.project(self.centre))
        a, b = (half / frame.spacing_mm for half in self._half_axes_in(frame))
        return Mark("ellipse", [round(float(value), 2) for value in (x, y, a, b, 0.0)])

    def _half_axes_in(self, frame: Frame) -> tuple[float, float]:
        """Of the projected ellipsoid along u and v. Its axes are those of the breast, so only v is mixed."""
        across = float(np.sqrt(((frame.axes[1] * self.half_axes) ** 2).sum()))
        return float(self.half_axes[0]), across
