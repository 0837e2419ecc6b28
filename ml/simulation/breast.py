"""A breast in three dimensions: its size, and where the fibroglandular tissue lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ml.simulation.frame import AXES
from ml.simulation.model import Density, Floats, Side
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

VOXEL_MM = 2.0
HALF_GRID_MM = 120.0
_SHAPE = (60, 120, 120)
SIDES: tuple[Side, Side] = ("L", "R")
#: Share of the breast's inner volume that is fibroglandular, by class. BI-RADS gives words; these ranges keep them
#: apart in per cent dense area as readers see it.
VOLUME_SHARE: dict[str, tuple[float, float]] = {
    "a": (0.01, 0.03), "b": (0.07, 0.12), "c": (0.19, 0.28), "d": (0.42, 0.55),
}  # fmt: skip
#: The two breasts of a woman resemble each other: the variance of the texture that they share.
SHARED = 0.7


@dataclass(frozen=True)
class Woman:
    """What both breasts have in common. Lengths in mm."""

    seed: int
    density: Density
    depth: float
    half_width: float
    thickness: float
    share: float

    @classmethod
    def draw(cls, seed: int, density: Density) -> Woman:
        generator = stream(seed, "woman")
        depth = float(generator.uniform(80, 114))
        return cls(
            seed=seed,
            density=density,
            depth=depth,
            half_width=depth * float(generator.uniform(0.86, 1.0)),
            thickness=depth * float(generator.uniform(0.5, 0.66)),
            share=float(generator.uniform(*VOLUME_SHARE[density])),
        )


@dataclass(frozen=True)
class Breast:
    """One side. gland: (nx, ny, nz) share of fibroglandular tissue, 0 to 1; support: 1 inside the breast."""

    side: Side
    depth: float
    half_width: float
    gland: Floats
    support: Floats

    def projected(self, projection: str) -> Floats:
        """(nx, n) mean share along the beam; the second axis is v, centred on the nipple's level."""
        gland, support = self.gland, self.support
        if projection == "MLO":
            gland, support = (_turned(part) for part in (gland, support))
            total, weight = gland.sum(axis=2), support.sum(axis=2)
        else:
            total, weight = gland.sum(axis=2)[:, ::-1], support.sum(axis=2)[:, ::-1]
        return total / np.maximum(weight, 4.0)


def breasts(woman: Woman) -> dict[Side, Breast]:
    """Both breasts."""
    common = _field(woman.seed, "both")
    return {side: _breast(woman, side, common) for side in SIDES}


def _breast(woman: Woman, side: Side, common: Floats) -> Breast:
    generator = stream(woman.seed, "breast", side)
    depth = woman.depth * float(generator.uniform(0.97, 1.03))
    half = woman.half_width * float(generator.uniform(0.97, 1.03))
    x, y, z = (_middles(axis) for axis in range(3))
    inside = _ellipsoid(x / depth, y / half, z / (0.85 * half))
    support = (inside < 1).astype(float)
    texture = SHARED**0.5 * common + (1 - SHARED) ** 0.5 * _field(woman.seed, side)
    potential = _cone(x / depth, y / half, z / (0.85 * half)) + 1.15 * texture
    inner = potential[support > 0]
    threshold = np.quantile(inner, 1 - woman.share)
    gland = support / (1 + np.exp(-np.clip((potential - threshold) / 0.2, -30, 30)))
    return Breast(side, depth, half, gland, support)


def _ellipsoid(x: Floats, y: Floats, z: Floats) -> Floats:
    """Below 1 inside the breast, which reaches out further towards the armpit. Coordinates as shares of its size."""
    tail, across = (y + z) * 2**-0.5, (y - z) * 2**-0.5
    return x**2.2 + np.where(tail > 0, tail / 1.3, tail) ** 2 + across**2


def _cone(x: Floats, y: Floats, z: Floats) -> Floats:
    """How likely tissue is fibroglandular: a cone with its tip behind the nipple, more in the upper outer quarter."""
    radius = np.interp(x, [0, 0.1, 0.35, 0.6, 0.85, 1.0], [0.5, 0.62, 0.78, 0.7, 0.36, 0.12])
    tail, across = (y + z) * 2**-0.5 - 0.1, (y - z) * 2**-0.5
    reach = np.sqrt(np.where(tail > 0, tail / 1.4, tail) ** 2 + across**2) / radius
    behind = np.clip(0.3 - x, 0, None) ** 2 * 11.0
    skin = np.clip(_ellipsoid(x, y, z) - 0.72, 0, None) * 7.0
    return 1.7 * (1 - np.minimum(reach, 2.2)) + 0.5 * y + 0.3 * z - behind - skin


def _field(seed: int, name: str) -> Floats:
    """A texture that is drawn out towards the nipple."""
    spacing = (0.6 * VOXEL_MM, VOXEL_MM, VOXEL_MM)
    return power_law(stream(seed, "tissue", name), _SHAPE, spacing, beta=4.0, coarsest_mm=60)


def _middles(axis: int) -> Floats:
    """Middles of the voxels along an axis in mm, shaped to broadcast; y and z are 0 at the nipple."""
    shape = [1, 1, 1]
    shape[axis] = _SHAPE[axis]
    start = 0.0 if axis == 0 else -HALF_GRID_MM
    middles: Floats = ((np.arange(_SHAPE[axis], dtype=np.float64) + 0.5) * VOXEL_MM + start).reshape(shape)
    return middles


def _turned(part: Floats) -> Floats:
    """The grid turned so that its axes are those of the MLO view."""
    middle = (np.array(part.shape) - 1) / 2
    middle[0] = 0.0
    matrix = AXES["MLO"].T
    return ndimage.affine_transform(part, matrix, offset=middle - matrix @ middle, order=1)
