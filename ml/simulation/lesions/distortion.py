"""Architectural distortion: tissue drawn towards a point, thin lines that radiate from it, no mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ml.simulation.frame import Frame
from ml.simulation.lesions.shape import Canvas, Lesion, offsets
from ml.simulation.model import Bools, Floats, Mark

_PULL = 0.55
_LINES = 0.16


@dataclass
class Distortion(Lesion):
    """lines: (n, 3) directions with their strength as length."""

    subtype: str
    centre: Floats
    radius_mm: float
    lines: Floats

    @classmethod
    def draw(cls, generator: np.random.Generator, centre: Floats, subtype: str, size_mm: float) -> Distortion:
        lines = generator.standard_normal((int(generator.integers(22, 34)), 3))
        lines *= (generator.uniform(0.5, 1.0, len(lines)) / np.linalg.norm(lines, axis=1))[:, None]
        return cls(subtype, centre, size_mm / 2, lines)

    def paint(self, canvas: Canvas) -> Bools:
        frame = canvas.frame
        middle = frame.project(self.centre)
        window = frame.window(middle, 1.6 * self.radius_mm)
        du, dv = offsets(frame, middle, window)
        distance = np.hypot(du, dv) / self.radius_mm
        fade = np.exp(-(distance**2) * 1.3)
        for layer in (canvas.share, canvas.threads):
            layer[window] = _pulled(layer, window, du, dv, fade, frame.spacing_mm)
        canvas.added[window] += self._radiating(frame, du, dv) * fade * np.clip(distance / 0.16, 0, 1)
        mask = np.zeros(frame.shape, dtype=bool)
        mask[window] = distance <= 1
        return mask

    def mark(self, frame: Frame, mask: Bools) -> Mark:
        x, y = frame.to_pixels(frame.project(self.centre))
        return Mark("circle", [round(float(x), 2), round(float(y), 2), round(self.radius_mm / frame.spacing_mm, 2)])

    def _radiating(self, frame: Frame, du: Floats, dv: Floats) -> Floats:
        drawn = np.zeros(np.broadcast_shapes(du.shape, dv.shape))
        for line in self.lines @ frame.axes[:2].T:
            length = max(float(np.hypot(*line)), 1e-6)
            along, across = (du * line[0] + dv * line[1]) / length, (du * line[1] - dv * line[0]) / length
            reach = length * 1.5 * self.radius_mm
            width = 0.28 + 0.012 * np.abs(along)
            drawn = np.maximum(drawn, np.exp(-((across / width) ** 2)) * ((along > 0) & (along < reach)))
        return _LINES * ndimage.gaussian_filter(drawn, 0.25 / frame.spacing_mm)


def _pulled(
    layer: Floats, window: tuple[slice, slice], du: Floats, dv: Floats, fade: Floats, spacing_mm: float
) -> Floats:
    """The window of a layer with its content drawn to the middle: each pixel shows what lay further out."""
    rows, cols = window
    row = np.arange(rows.start, rows.stop)[:, None] + _PULL * fade * dv / spacing_mm
    col = np.arange(cols.start, cols.stop)[None, :] + _PULL * fade * du / spacing_mm
    return ndimage.map_coordinates(layer, np.stack([row, col]), order=1, mode="nearest")
