"""The skin line of a view, how far each pixel lies within it, and the pectoral muscle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import interpolate
from scipy.spatial import cKDTree

from ml.simulation.breast import Breast, Woman
from ml.simulation.frame import DETECTOR_MM, Frame
from ml.simulation.grids import enlarged
from ml.simulation.model import Floats
from ml.simulation.streams import stream

_COARSE_MM = 2.0


@dataclass(frozen=True)
class Anatomy:
    """One view's frame and shapes, chest wall at the left. depth: mm within the skin, negative in air.

    muscle: mm within the pectoral muscle's border, negative outside; far outside where the view shows none.
    """

    frame: Frame
    depth: Floats
    muscle: Floats

    def depth_at(self, u: float, v: float) -> float:
        return _at(self.depth, self.frame, u, v)

    def muscle_at(self, u: float, v: float) -> float:
        return _at(self.muscle, self.frame, u, v)


def anatomy(woman: Woman, breast: Breast, view: str, spacing_mm: float) -> Anatomy:
    generator = stream(woman.seed, "outline", view)
    if view.endswith("CC"):
        frame = Frame(view, spacing_mm, DETECTOR_MM[0] / 2 + float(generator.uniform(-6, 6)), 0.0)
        line = _cc_line(breast, frame, generator)
        muscle = np.full(frame.shape, -50.0)
    else:
        frame = Frame(view, spacing_mm, float(generator.uniform(140, 154)), float(generator.uniform(5, 10)))
        line = _mlo_line(breast, frame, generator)
        muscle = _muscle(frame, generator)
    return Anatomy(frame, _within(line, frame), muscle)


def _cc_line(breast: Breast, frame: Frame, generator: np.random.Generator) -> Floats:
    """(n, 2) as (u, v) from the top of the chest wall over the nipple to its bottom."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 721)
    pointed = float(generator.uniform(1.75, 2.1))
    half = breast.half_width * np.where(angle < 0, 1.1, 1.04)
    u = breast.depth * (1 - np.abs(np.sin(angle)) ** pointed) ** float(generator.uniform(0.66, 0.78))
    v = frame.nipple_v_mm + half * np.sin(angle)
    ends = [np.array([[-30.0, v[0]]]), np.array([[-30.0, v[-1]]])]
    return np.concatenate([ends[0], _with_nipple(np.stack([u, v], axis=1), frame, generator), ends[1]])


def _mlo_line(breast: Breast, frame: Frame, generator: np.random.Generator) -> Floats:
    """From the armpit down over the nipple to the fold beneath the breast and the belly."""
    depth, nipple = breast.depth + frame.shift_u_mm, frame.nipple_v_mm
    fold = min(nipple + breast.half_width * float(generator.uniform(0.84, 0.96)), DETECTOR_MM[0] - 8.0)
    low = fold - nipple
    knots = [
        (0.70 * depth, -12.0), (0.765 * depth, 0.24 * nipple), (0.87 * depth, 0.55 * nipple),
        (0.97 * depth, 0.82 * nipple), (depth, nipple), (0.94 * depth, nipple + 0.33 * low),
        (0.73 * depth, nipple + 0.68 * low), (0.44 * depth, nipple + 0.90 * low),
        (0.27 * depth, nipple + 1.02 * low), (0.205 * depth, nipple + 1.2 * low), (0.21 * depth, nipple + 2.2 * low),
    ]  # fmt: skip
    u, v = np.array(knots).T
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(u), np.diff(v)))])
    fine = np.linspace(0, along[-1], 900)
    smooth = interpolate.make_interp_spline(along, np.stack([u, v], axis=1), k=3)(fine)
    return np.concatenate([[[-30.0, -12.0]], _with_nipple(smooth, frame, generator), [[-30.0, smooth[-1, 1]]]])


def _with_nipple(line: Floats, frame: Frame, generator: np.random.Generator) -> Floats:
    """The nipple in profile: a small bump where the line crosses the nipple's level."""
    height, width = float(generator.uniform(2.5, 4.5)), float(generator.uniform(3.4, 4.6))
    offset = line[:, 1] - frame.nipple_v_mm
    outside = line[:, 0] > 0.5 * line[:, 0].max()
    bump = height * np.exp(-((offset / width) ** 2)) * outside
    return line + np.stack([bump, np.zeros_like(bump)], axis=1)


def _within(line: Floats, frame: Frame) -> Floats:
    """Signed distance of every pixel to a closed line: worked out on a coarse grid, since distance is smooth."""
    steps = np.linspace(0, 1, 6)[None, :, None]
    dense = (line[:-1, None] * (1 - steps) + line[1:, None] * steps).reshape(-1, 2)
    u = np.arange(-2 * _COARSE_MM, DETECTOR_MM[1] + 3 * _COARSE_MM, _COARSE_MM)
    v = np.arange(-2 * _COARSE_MM, DETECTOR_MM[0] + 3 * _COARSE_MM, _COARSE_MM)
    grid = np.stack(np.meshgrid(u, v), axis=-1)
    far, _ = cKDTree(dense).query(grid.reshape(-1, 2))
    signed = np.where(_inside(line, grid), 1.0, -1.0) * far.reshape(grid.shape[:2])
    scale = frame.spacing_mm / _COARSE_MM
    first = 2.0 + 0.5 * scale
    return enlarged(signed, step=scale, first=(first, first), shape=frame.shape)


def _inside(line: Floats, grid: Floats) -> np.ndarray:
    """Even-odd rule for a closed polygon, one row of the grid at a time: rows share v."""
    inside = np.zeros(grid.shape[:2], dtype=bool)
    first, last = line, np.roll(line, -1, axis=0)
    for row, v in enumerate(grid[:, 0, 1]):
        crosses = (first[:, 1] > v) != (last[:, 1] > v)
        (u0, v0), (u1, v1) = first[crosses].T, last[crosses].T
        at = np.sort(u0 + (v - v0) / (v1 - v0) * (u1 - u0))
        inside[row] = np.searchsorted(at, grid[row, :, 0]) % 2 == 1
    return inside


def _muscle(frame: Frame, generator: np.random.Generator) -> Floats:
    """A triangle at the top of the chest wall, its border a little bowed outwards."""
    top, bottom = float(generator.uniform(36, 56)), frame.nipple_v_mm + float(generator.uniform(-28, 8))
    bow = float(generator.uniform(1.0, 6.0))
    share = frame.v / bottom
    border = top * (1 - share) + bow * np.sin(np.pi * np.clip(share, 0, 1))
    slope = np.cos(np.arctan2(top, bottom))
    return (border - frame.u) * slope


def _at(field: Floats, frame: Frame, u: float, v: float) -> float:
    row, col = int(v / frame.spacing_mm), int(u / frame.spacing_mm)
    if not (0 <= row < frame.shape[0] and 0 <= col < frame.shape[1]):
        return -50.0
    return float(field[row, col])
