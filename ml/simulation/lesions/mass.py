"""Masses: unions of ellipsoids, with or without spicules, whose projection is exact."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from ml.simulation.frame import Frame
from ml.simulation.lesions.shape import Canvas, Lesion, offsets
from ml.simulation.model import Bools, Floats, Mark
from ml.simulation.texture import power_law

#: How strongly 10 mm of a mass show in fat, in glandular contrast; a large one is flattened by compression.
_CONTRAST, _FLATTENED = 0.46, 0.75
_DENSER_THAN_GLAND = 1.12
_OUTLINE = 40
_BLUR_MM = {"round": 0.35, "oval": 0.35, "lobulated": 0.5, "irregular": 1.1, "spiculated": 0.8}


@dataclass
class Mass(Lesion):
    """lobes: (n, 3) centres from the mass's centre, (n, 3, 3) shape matrices A with p' A p <= 1 inside, in mm."""

    subtype: str
    centre: Floats
    radius_mm: float
    lobes: list[tuple[Floats, Floats]]
    spicules: list[Floats]
    texture_seed: int
    reach_mm: float = field(init=False)

    def __post_init__(self) -> None:
        self.reach_mm = self.radius_mm * (2.8 if self.spicules else 1.5) + 3

    @classmethod
    def draw(cls, generator: np.random.Generator, centre: Floats, subtype: str, size_mm: float) -> Mass:
        radius = size_mm / 2
        lobes = _LOBES[subtype](generator, radius)
        spicules = _spicules(generator, radius) if subtype == "spiculated" else []
        return cls(subtype, centre, radius, lobes, spicules, int(generator.integers(2**31)))

    def paint(self, canvas: Canvas) -> Bools:
        frame = canvas.frame
        middle = frame.project(self.centre)
        window = frame.window(middle, self.reach_mm)
        chord = self._chords(frame, middle, window)
        body = chord > 0.15 * self.radius_mm
        blurred = ndimage.gaussian_filter((chord / 10) ** _FLATTENED, _BLUR_MM[self.subtype] / frame.spacing_mm)
        generator = np.random.Generator(np.random.PCG64([self.texture_seed, len(frame.view)]))
        mottle = power_law(generator, chord.shape, frame.spacing_mm, beta=2.6, coarsest_mm=8)
        blurred = blurred * (1 + 0.05 * mottle)
        # The mass takes the place of tissue that was there: little is gained where all is dense.
        gain = _CONTRAST * (_DENSER_THAN_GLAND - 0.8 * np.clip(canvas.share[window], 0, 1))
        canvas.added[window] += blurred * gain + self._rays(frame, middle, window)
        mask = np.zeros(frame.shape, dtype=bool)
        mask[window] = body
        return mask

    def mark(self, frame: Frame, mask: Bools) -> Mark:
        """The outline as a polygon: in each direction from the middle the last pixel of the body."""
        middle = frame.project(self.centre)
        angles = np.linspace(0, 2 * np.pi, _OUTLINE, endpoint=False)
        radii = np.arange(0, 1.6 * self.radius_mm, frame.spacing_mm / 2)
        direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = middle + radii[None, :, None] * direction[:, None]
        cols, rows = (np.floor(points[..., axis] / frame.spacing_mm).astype(int) for axis in (0, 1))
        inside = mask[np.clip(rows, 0, frame.shape[0] - 1), np.clip(cols, 0, frame.shape[1] - 1)]
        last = np.where(inside.any(axis=1), inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1), 1)
        ring = frame.to_pixels(middle + radii[last][:, None] * direction)
        limit = np.array([frame.shape[1], frame.shape[0]], dtype=float)
        return Mark("polygon", [[[round(float(x), 2), round(float(y), 2)] for x, y in np.clip(ring, 0, limit)]])

    def _chords(self, frame: Frame, middle: Floats, window: tuple[slice, slice]) -> Floats:
        du, dv = offsets(frame, middle, window)
        chord = np.zeros(np.broadcast_shapes(du.shape, dv.shape))
        for centre, matrix in self.lobes:
            shift = frame.axes[:2] @ centre
            chord = np.maximum(chord, _chord(frame.axes @ matrix @ frame.axes.T, du - shift[0], dv - shift[1]))
        return chord

    def _rays(self, frame: Frame, middle: Floats, window: tuple[slice, slice]) -> Floats:
        rows, cols = window
        drawn = np.zeros((rows.stop - rows.start, cols.stop - cols.start))
        for line in self.spicules:
            points = middle + line @ frame.axes[:2].T
            taper = np.linspace(1.0, 0.25, len(points))
            row = np.floor(points[:, 1] / frame.spacing_mm).astype(int) - rows.start
            col = np.floor(points[:, 0] / frame.spacing_mm).astype(int) - cols.start
            fits = (row >= 0) & (row < drawn.shape[0]) & (col >= 0) & (col < drawn.shape[1])
            np.maximum.at(drawn, (row[fits], col[fits]), taper[fits])
        width = 0.32 / frame.spacing_mm
        return 0.13 * ndimage.gaussian_filter(drawn, width) * max(1.0, 2.5 * width)


def _chord(matrix: Floats, du: Floats, dv: Floats) -> Floats:
    """Length in mm of the beam within an ellipsoid whose matrix is given along (u, v, beam)."""
    along = matrix[2, 2]
    flat = matrix[:2, :2] - np.outer(matrix[:2, 2], matrix[2, :2]) / along
    inside = 1 - (flat[0, 0] * du**2 + 2 * flat[0, 1] * du * dv + flat[1, 1] * dv**2)
    return 2 * np.sqrt(np.clip(inside, 0, None) / along)


def _rotation(generator: np.random.Generator) -> Floats:
    turned, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    return turned


def _ellipsoid(generator: np.random.Generator, radii: tuple[float, float, float]) -> Floats:
    turned = _rotation(generator)
    return turned @ np.diag(1 / np.square(radii)) @ turned.T


def _lobe(generator: np.random.Generator, distance: float, radius: float, spread: float) -> tuple[Floats, Floats]:
    direction = generator.standard_normal(3)
    direction *= distance / np.linalg.norm(direction)
    radii = radius * generator.uniform(1 - spread, 1 + spread, 3)
    return direction, _ellipsoid(generator, (radii[0], radii[1], radii[2]))


def _round(generator: np.random.Generator, radius: float) -> list[tuple[Floats, Floats]]:
    return [_lobe(generator, 0.0, radius, 0.05)]


def _oval(generator: np.random.Generator, radius: float) -> list[tuple[Floats, Floats]]:
    return [(np.zeros(3), _ellipsoid(generator, (1.2 * radius, 0.85 * radius, 0.75 * radius)))]


def _lobulated(generator: np.random.Generator, radius: float) -> list[tuple[Floats, Floats]]:
    return [_lobe(generator, 0.5 * radius, 0.62 * radius, 0.1) for _ in range(int(generator.integers(4, 6)))]


def _irregular(generator: np.random.Generator, radius: float) -> list[tuple[Floats, Floats]]:
    core = [_lobe(generator, 0.1 * radius, 0.7 * radius, 0.2)]
    return core + [_lobe(generator, 0.7 * radius, 0.36 * radius, 0.3) for _ in range(9)]


def _spiculated(generator: np.random.Generator, radius: float) -> list[tuple[Floats, Floats]]:
    core = [_lobe(generator, 0.1 * radius, 0.74 * radius, 0.15)]
    return core + [_lobe(generator, 0.7 * radius, 0.28 * radius, 0.3) for _ in range(7)]


_LOBES = {
    "round": _round, "oval": _oval, "lobulated": _lobulated, "irregular": _irregular, "spiculated": _spiculated,
}  # fmt: skip


def _spicules(generator: np.random.Generator, radius: float) -> list[Floats]:
    """Curved lines from the body outwards, each (n, 3) mm from the mass's centre."""
    lines = []
    for _ in range(int(generator.integers(26, 40))):
        direction, bend = (_unit(generator) for _ in range(2))
        length = radius * float(generator.uniform(1.5, 2.6))
        along = np.linspace(0.5 * radius, length, 240)[:, None]
        lines.append(direction * along + bend * 0.12 * (along - 0.5 * radius) ** 2 / length)
    return lines


def _unit(generator: np.random.Generator) -> Floats:
    direction = generator.standard_normal(3)
    return direction / np.linalg.norm(direction)
