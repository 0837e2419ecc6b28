"""From tissue to grey values: what the processing of a full-field unit leaves of a breast.

Grey values are 12 bits, air 0. The thickness is evened out towards the skin as such units do, so that the rim stays
readable.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ml.simulation.breast import VOXEL_MM, Breast
from ml.simulation.model import Floats
from ml.simulation.outline import Anatomy
from ml.simulation.streams import stream
from ml.simulation.texture import power_law, strands

MAXIMUM = 4095
FAT, GLAND, MUSCLE, SKIN, STRAND = 900.0, 1750.0, 1900.0, 420.0, 520.0
_RIM_MM = 16.0


def glandular_share(breast: Breast, anatomy: Anatomy, threads: Floats, seed: int) -> Floats:
    """(rows, cols) share of fibroglandular tissue along the beam, 0 to 1, with detail finer than the breast's grid."""
    frame = anatomy.frame
    coarse = breast.projected(frame.projection)
    scale = frame.spacing_mm / VOXEL_MM
    offset_v = (frame.spacing_mm / 2 - frame.nipple_v_mm + 120) / VOXEL_MM - 0.5
    offset_u = (frame.spacing_mm / 2 - frame.shift_u_mm) / VOXEL_MM - 0.5
    share = ndimage.affine_transform(
        coarse.T, [scale, scale], offset=[offset_v, offset_u], output_shape=frame.shape, order=3, mode="nearest"
    )
    share = np.clip(share, 0, 1)
    fine = power_law(stream(seed, "fine", frame.view), frame.shape, frame.spacing_mm, beta=3.0, coarsest_mm=9.0)
    # Where tissue is scattered it is strands; where it is dense they merge.
    stringy = 1 - 0.75 * share
    share = share * (1 + stringy * 0.9 * (threads - 0.45)) + 0.10 * fine * share
    return np.clip(share, 0, 1) * np.clip((anatomy.depth - 2.0) / 6.0, 0, 1)


def connective(anatomy: Anatomy, seed: int) -> Floats:
    """(rows, cols) strands of connective tissue, 0 to about 1.5: curves that run towards the nipple."""
    frame = anatomy.frame
    step = 2 if frame.spacing_mm < 0.35 else 1  # strands are wider than a fine pixel
    spacing = frame.spacing_mm * step
    rows, cols = (-(-size // step) for size in frame.shape)
    u, v = (np.arange(cols) + 0.5) * spacing, ((np.arange(rows) + 0.5) * spacing)[:, None]
    tip_u, tip_v = _nipple_u(anatomy) + 12.0, frame.nipple_v_mm
    radius, angle = np.hypot(u - tip_u, v - tip_v), np.arctan2(v - tip_v, tip_u - u)
    generator = stream(seed, "strands", frame.view)
    wander = power_law(generator, (rows, cols), spacing, beta=4.5, coarsest_mm=40, finest_mm=2.0)
    total = np.zeros((rows, cols))
    for stretch, coarsest, width, weight in _STRANDS:
        tile = _strand_tile(generator, coarsest, width)
        along = (radius + 5.0 * wander) / (_TILE_MM * stretch)
        across = (angle * 62.0 + 4.0 * wander) / _TILE_MM
        total += weight * ndimage.map_coordinates(tile, np.stack([along, across]), order=1, mode="grid-wrap")
    if step > 1:
        total = ndimage.affine_transform(
            total, [1 / step] * 2, offset=[0.5 / step - 0.5] * 2, output_shape=frame.shape, order=1, mode="nearest"
        )
    return total * np.clip(anatomy.depth / 8.0, 0.1, 1)


#: Layers of strands: how drawn out towards the nipple, coarsest structure in mm, width, weight.
_STRANDS = ((2.4, 16.0, 0.055, 0.55), (2.0, 9.0, 0.08, 0.45), (1.5, 6.0, 0.12, 0.35), (1.0, 11.0, 0.05, 0.5))
_TILE_MM, _TILE = 0.3, 512


def _strand_tile(generator: np.random.Generator, coarsest_mm: float, width: float) -> Floats:
    """A periodic tile of strands that come and go."""
    shape = (_TILE, _TILE)
    field = power_law(generator, shape, _TILE_MM, beta=4.4, coarsest_mm=coarsest_mm, finest_mm=0.4)
    patchy = power_law(generator, shape, _TILE_MM, beta=4.0, coarsest_mm=25, finest_mm=1.0)
    return strands(field, width) * np.clip(0.55 + 0.5 * patchy, 0, 1.5) + 0.12 * np.clip(1 - np.abs(field), 0, 1)


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
    cloud = power_law(stream(seed, "fat", frame.view), frame.shape, frame.spacing_mm, beta=3.0, coarsest_mm=25)
    value = FAT * (0.62 + 0.38 * thickness) * (1 + 0.045 * cloud)
    value = value + GLAND * (share**0.85 + added) + STRAND * threads * (1 - 0.75 * share)
    value = value + SKIN * np.exp(-(((depth - 0.9) / 0.8) ** 2)) * (1 - 0.4 * share)
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
    fibres = power_law(stream(seed, "muscle", frame.view), frame.shape, frame.spacing_mm, beta=3.2, coarsest_mm=14)
    inside = 1 / (1 + np.exp(-np.clip(anatomy.muscle / 0.8, -30, 30)))
    deep = np.clip(anatomy.muscle / 40, 0, 1)
    muscle = FAT + MUSCLE * (0.62 + 0.38 * deep) * (1 + 0.05 * fibres)
    return value * (1 - inside) + np.maximum(muscle, 0.35 * muscle + 0.65 * value) * inside
