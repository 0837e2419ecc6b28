"""Clusters of calcifications: many small bright grains, by morphology and spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.simulation.frame import Frame
from ml.simulation.lesions.shape import Canvas, Lesion, box_of
from ml.simulation.model import Bools, Floats, Mark

#: By morphology: number of grains, their diameter in mm, how bright they are, points that one grain is made of.
_GRAINS: dict[str, tuple[tuple[int, int], tuple[float, float], tuple[float, float], int]] = {
    "punctate": ((10, 22), (0.30, 0.55), (0.45, 0.8), 1),
    "amorphous": ((25, 50), (0.25, 0.40), (0.16, 0.32), 1),
    "pleomorphic": ((14, 32), (0.22, 0.75), (0.35, 1.0), 3),
    "linear": ((10, 20), (0.24, 0.40), (0.4, 0.9), 9),
    "coarse": ((2, 4), (1.6, 3.2), (0.7, 1.1), 6),
}
#: Half axes of the spread as shares of its radius: along the duct that runs to the nipple, and across it.
_SPREAD = {"linear": (1.0, 0.38), "pleomorphic": (1.0, 0.7), "coarse": (0.6, 0.6)}
_MARGIN_MM = 1.0


@dataclass
class Cluster(Lesion):
    """points: (n, 3) mm from the centre; sizes: (n,) diameters in mm; strengths: (n,) in glandular contrast."""

    subtype: str
    centre: Floats
    radius_mm: float
    points: Floats
    sizes: Floats
    strengths: Floats

    @classmethod
    def draw(cls, generator: np.random.Generator, centre: Floats, subtype: str, size_mm: float) -> Cluster:
        count, size, strength, parts = _GRAINS[subtype]
        number = int(generator.integers(*count))
        along, across = _SPREAD.get(subtype, (1.0, 1.0))
        spread = np.array([along, across, across]) * size_mm / 2
        middles = _in_a_ball(generator, number) * spread
        sizes = np.exp(generator.uniform(np.log(size[0]), np.log(size[1]), number))
        points, diameters = [], []
        for middle, diameter in zip(middles, sizes, strict=True):
            points.append(middle + _grain(generator, subtype, parts) * diameter)
            diameters.append(np.full(parts, diameter * (0.75 if parts > 1 else 1.0)))
        strengths = np.repeat(generator.uniform(*strength, number), parts)
        return cls(
            subtype, centre, size_mm / 2, np.concatenate(points), np.concatenate(diameters), strengths / parts**0.5
        )

    def paint(self, canvas: Canvas) -> Bools:
        frame = canvas.frame
        places = frame.project(self.centre + self.points)
        for place, size, strength in zip(places, self.sizes, self.strengths, strict=True):
            # A grain is a blurred ball: the detector cannot show one sharper than its pixels.
            sigma = np.hypot(size / 2.6, 0.45 * frame.spacing_mm)
            rows, cols = frame.window(place, 3.5 * sigma + frame.spacing_mm)
            distance = (frame.u[:, cols] - place[0]) ** 2 + (frame.v[rows] - place[1]) ** 2
            seen = strength * (size / 2.6 / sigma) ** 2
            canvas.added[rows, cols] += seen * np.exp(-distance / (2 * sigma**2))
        mask = np.zeros(frame.shape, dtype=bool)
        low, high = places.min(axis=0) - _MARGIN_MM, places.max(axis=0) + _MARGIN_MM
        first = np.floor(low / frame.spacing_mm).astype(int)
        last = np.ceil(high / frame.spacing_mm).astype(int)
        mask[max(first[1], 0) : last[1], max(first[0], 0) : last[0]] = True
        return mask

    def mark(self, frame: Frame, mask: Bools) -> Mark:
        return Mark("box", box_of(frame, mask))


def _in_a_ball(generator: np.random.Generator, number: int) -> Floats:
    """Points in the unit ball, denser in the middle."""
    direction = generator.standard_normal((number, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * generator.random((number, 1)) ** 0.6


def _grain(generator: np.random.Generator, subtype: str, parts: int) -> Floats:
    """(parts, 3) middles of a grain's parts, in diameters."""
    if subtype != "linear":
        return generator.standard_normal((parts, 3)) * (0.0 if parts == 1 else 0.34)
    direction = np.array([1.0, 0, 0]) + 0.5 * generator.standard_normal(3)
    line = np.linspace(-2.2, 2.2, parts)[:, None] * direction / np.linalg.norm(direction)
    return line + 0.12 * generator.standard_normal((parts, 3))
