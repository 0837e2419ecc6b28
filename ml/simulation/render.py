"""From tissue to grey values: what the processing of a full-field unit leaves of a breast.

Grey values are 12 bits, air 0. The thickness is evened out towards the skin as such units do, so that the rim stays
readable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ml.simulation.breast import HALF_GRID_MM, VOXEL_MM, Breast
from ml.simulation.frame import Frame
from ml.simulation.grids import enlarged
from ml.simulation.model import Floats
from ml.simulation.outline import Anatomy
from ml.simulation.streams import stream
from ml.simulation.texture import cell_walls, power_law

MAXIMUM = 4095
FAT, GLAND, MUSCLE, SKIN, STRAND = 850.0, 1950.0, 2100.0, 600.0, 780.0
_RIM_MM = 16.0


def glandular_share(breast: Breast, anatomy: Anatomy, threads: Floats, seed: int) -> Floats:
    """(rows, cols) share of fibroglandular tissue along the beam, 0 to 1, with detail finer than the breast's grid."""
    frame = anatomy.frame
    coarse = breast.projected(frame.projection)
    scale = frame.spacing_mm / VOXEL_MM
    offset_v = (frame.spacing_mm / 2 - frame.nipple_v_mm + HALF_GRID_MM) / VOXEL_MM - 0.5
    offset_u = (frame.spacing_mm / 2 - frame.shift_u_mm) / VOXEL_MM - 0.5
    share = np.clip(enlarged(coarse.T, step=scale, first=(offset_v, offset_u), shape=frame.shape), 0, 1)
    fine = power_law(stream(seed, "fine", frame.view), frame.shape, frame.spacing_mm, beta=3.0, coarsest_mm=9.0)
    # Where tissue is scattered it is strands; where it is dense they merge.
    stringy = 1 - 0.75 * share
    share = share * (1 + stringy * 0.9 * (threads - 0.45)) + 0.10 * fine * share
    return np.clip(share, 0, 1) * np.clip((anatomy.depth - 2.0) / 6.0, 0, 1)


def connective(anatomy: Anatomy, tiles: Sequence[Floats], seed: int) -> Floats:
    """(rows, cols) septa of connective tissue, 0 to about 2: walls between fat lobules, drawn out to the nipple."""
    frame = anatomy.frame
    step = 2 if frame.spacing_mm < 0.35 else 1  # septa are wider than a fine pixel
    spacing = frame.spacing_mm * step
    rows, cols = (-(-size // step) for size in frame.shape)
    u, v = (np.arange(cols) + 0.5) * spacing, ((np.arange(rows) + 0.5) * spacing)[:, None]
    tip_u, tip_v = _nipple_u(anatomy) + 12.0, frame.nipple_v_mm
    radius, angle = np.hypot(u - tip_u, v - tip_v), np.arctan2(v - tip_v, tip_u - u)
    generator = stream(seed, "septa", frame.view)
    wander = power_law(generator, (rows, cols), spacing, beta=4.5, coarsest_mm=40, finest_mm=5.0)
    total = np.zeros((rows, cols))
    for tile, (_, _, stretch, weight) in zip(tiles, SEPTA, strict=True):
        first, per_mm = generator.uniform(0, len(tile), 2), len(tile) / TILE_MM
        along = (radius + 2.0 * wander) * per_mm / stretch + first[0]
        across = (angle * 62.0 + 2.0 * wander) * per_mm + first[1]
        total += weight * ndimage.map_coordinates(tile, np.stack([along, across]), order=1, mode="grid-wrap")
    if step > 1:
        total = ndimage.affine_transform(
            total, [1 / step] * 2, offset=[0.5 / step - 0.5] * 2, output_shape=frame.shape, order=1, mode="nearest"
        )
    return total * np.clip(anatomy.depth / 8.0, 0.1, 1)


#: Layers of septa: size of the cells and width of the walls in mm, how drawn out towards the nipple, weight.
SEPTA = ((13.0, 0.42, 2.0, 0.7), (8.0, 0.36, 1.9, 0.5), (5.0, 0.34, 1.8, 0.4), (9.0, 0.38, 1.1, 0.42))
TILE_MM = 143.0
_TILE_STEP_MM = 0.35


def septa_tiles(seed: int, spacing_mm: float) -> list[Floats]:
    """A periodic tile of 143 mm for each layer of septa; each view takes another part of it."""
    size = round(TILE_MM / max(_TILE_STEP_MM, spacing_mm))
    return [
        cell_walls(stream(seed, "septa", str(layer)), (size, size), TILE_MM / size, cell_mm=cell, wall_mm=wall)
        for layer, (cell, wall, _, _) in enumerate(SEPTA)
    ]


def _nipple_u(anatomy: Anatomy) -> float:
    frame = anatomy.frame
    row = anatomy.depth[min(int(frame.nipple_v_mm / frame.spacing_mm), frame.shape[0] - 1)]
    return float((row > 0).sum() * frame.spacing_mm)


def grey_values(anatomy: Anatomy, share: Floats, threads: Floats, added: Floats, seed: int, noise: float) -> Floats:
    """(rows, cols) float grey values, 0 to 4095. added: what findings add, in shares of glandular contrast."""
    frame = anatomy.frame
    depth = anatomy.depth
    rim = np.clip(depth / _RIM_MM, 0, 1)
    thickness = np.sqrt(1 - (1 - rim) ** 2)
    cloud = _smooth(stream(seed, "fat", frame.view), frame, coarsest_mm=25)
    value = FAT * (0.62 + 0.38 * thickness) * (1 + 0.045 * cloud)
    value = value + GLAND * (share**0.85 + added) + STRAND * threads * (1 - 0.85 * share)
    value = value + SKIN * np.exp(-(((depth - 0.8) / 0.6) ** 2)) * (1 - 0.4 * share)
    value = _with_muscle(value, anatomy, seed)
    soft = 3300.0
    value = np.where(value > soft, soft + (MAXIMUM - soft) * np.tanh((value - soft) / (MAXIMUM - soft)), value)
    grain = stream(seed, "noise", frame.view).standard_normal(frame.shape)
    grain = ndimage.gaussian_filter(grain, 0.6)
    value = value + noise * grain / grain.std()
    return np.clip(value, 1, MAXIMUM) * np.clip(depth / frame.spacing_mm + 0.5, 0, 1)


def _with_muscle(value: Floats, anatomy: Anatomy, seed: int) -> Floats:
    frame = anatomy.frame
    if not (anatomy.muscle > -5).any():
        return value
    fibres = _smooth(stream(seed, "muscle", frame.view), frame, coarsest_mm=14)
    inside = 1 / (1 + np.exp(-np.clip(anatomy.muscle / 0.8, -30, 30)))
    deep = np.clip(anatomy.muscle / 40, 0, 1)
    muscle = FAT + MUSCLE * (0.62 + 0.38 * deep) * (1 + 0.05 * fibres)
    return value * (1 - inside) + np.maximum(muscle, 0.35 * muscle + 0.65 * value) * inside


def _smooth(generator: np.random.Generator, frame: Frame, *, coarsest_mm: float) -> Floats:
    """(rows, cols) a power-law field without detail below some millimetres."""
    step = max(1, round(1.2 / frame.spacing_mm))
    shape = (frame.shape[0] // step + 4, frame.shape[1] // step + 4)
    coarse = power_law(generator, shape, step * frame.spacing_mm, coarsest_mm=coarsest_mm)
    return enlarged(coarse, step=1 / step, first=(1.0, 1.0), shape=frame.shape)
