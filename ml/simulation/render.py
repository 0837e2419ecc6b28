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
FAT, GLAND, MUSCLE, SKIN = 1050.0, 1750.0, 1500.0, 420.0
_RIM_MM = 16.0


def glandular_share(breast: Breast, anatomy: Anatomy, seed: int) -> Floats:
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
    fine = power_law(stream(seed, "fine", frame.view), frame.shape, frame.spacing_mm, beta=2.9, coarsest_mm=7.0)
    share = share * (1 + 0.30 * fine) + 0.035 * fine * np.sqrt(share)
    return np.clip(share, 0, 1) * np.clip((anatomy.depth - 2.0) / 6.0, 0, 1)


def connective(anatomy: Anatomy, seed: int) -> Floats:
    """(rows, cols) strands of connective tissue, about 0 to 1: curves that run towards the nipple."""
    frame = anatomy.frame
    total = np.zeros(frame.shape)
    for index, (coarsest, width, weight) in enumerate([(22.0, 0.05, 0.7), (12.0, 0.07, 0.55), (7.0, 0.10, 0.4)]):
        generator = stream(seed, "strands", frame.view, str(index))
        field = power_law(generator, frame.shape, frame.spacing_mm, beta=4.5, coarsest_mm=coarsest, finest_mm=0.35)
        patchy = power_law(generator, tuple(-(-n // 8) for n in frame.shape), 8 * frame.spacing_mm, coarsest_mm=30)
        where = np.clip(0.5 + 0.6 * np.kron(patchy, np.ones((8, 8))), 0, 1.4)[: frame.shape[0], : frame.shape[1]]
        total += weight * strands(field, width) * ndimage.uniform_filter(where, 9)
    return total * np.clip(anatomy.depth / 8.0, 0.15, 1)


def grey_values(anatomy: Anatomy, share: Floats, threads: Floats, added: Floats, seed: int, noise: float) -> Floats:
    """(rows, cols) float grey values, 0 to 4095. added: what findings add, in shares of glandular contrast."""
    frame = anatomy.frame
    depth = anatomy.depth
    rim = np.clip(depth / _RIM_MM, 0, 1)
    thickness = np.sqrt(1 - (1 - rim) ** 2)
    cloud = power_law(stream(seed, "fat", frame.view), frame.shape, frame.spacing_mm, beta=3.0, coarsest_mm=25)
    value = FAT * (0.62 + 0.38 * thickness) * (1 + 0.045 * cloud)
    value = value + GLAND * (share**0.85 + added) + 170.0 * threads * (1 - 0.7 * share)
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
