"""Random textures: power-law fields as breast tissue has them, and thin strands.

The power spectrum of mammograms falls as 1 / f^beta with beta near 3. Source: A. E. Burgess, Med. Phys. 28 (2001) 419.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.spatial import cKDTree

from ml.simulation.model import Floats


def power_law(
    generator: np.random.Generator,
    shape: tuple[int, ...],
    spacing_mm: float | tuple[float, ...],
    *,
    beta: float = 3.0,
    coarsest_mm: float = 60.0,
    finest_mm: float = 0.0,
) -> Floats:
    """A periodic Gaussian field of any number of axes, mean 0, variance 1, with power 1 / f^beta between two lengths.

    Structure longer than coarsest_mm is held at its level; structure shorter than finest_mm is smoothed away. An axis
    whose spacing is given smaller than it is has its structure drawn out.
    """
    white = generator.standard_normal(shape)
    spacings = spacing_mm if isinstance(spacing_mm, tuple) else (spacing_mm,) * len(shape)
    frequencies = [np.fft.fftfreq(size, step) for size, step in zip(shape[:-1], spacings, strict=False)]
    frequencies.append(np.fft.rfftfreq(shape[-1], spacings[-1]))
    squared = sum(axis**2 for axis in np.meshgrid(*frequencies, indexing="ij", sparse=True))
    gain = (squared + coarsest_mm**-2) ** (-beta / 4)
    if finest_mm:
        gain *= np.exp(-squared * finest_mm**2)
    gain.flat[0] = 0.0
    filtered: Floats = fft.irfftn(fft.rfftn(white) * gain, s=shape)
    return filtered / filtered.std()


def cell_walls(
    generator: np.random.Generator, shape: tuple[int, int], spacing_mm: float, *, cell_mm: float, wall_mm: float
) -> Floats:
    """(shape) periodic walls between the cells of a foam: 1 on a wall, fading to 0 within a cell.

    Walls meet in threes as the septa between fat lobules do, come and go along their way, and have a faint wide foot,
    as sheets seen nearly edge on.
    """
    size = np.array(shape) * spacing_mm
    seeds = _scattered(generator, size, cell_mm)
    grid = np.stack(np.meshgrid(*((np.arange(n) + 0.5) * spacing_mm for n in shape), indexing="ij"), axis=-1)
    bent = power_law(generator, (2, *shape), (1e-6, spacing_mm, spacing_mm), beta=4.5, coarsest_mm=30, finest_mm=4.0)
    bent = np.moveaxis(bent, 0, -1) * 0.07 * cell_mm
    near, _ = cKDTree(seeds, boxsize=size).query((grid + bent) % size, k=2)
    lead = near[..., 1] - near[..., 0]
    patchy = power_law(generator, shape, spacing_mm, beta=4.0, coarsest_mm=30.0, finest_mm=1.0)
    wall = 0.75 * np.exp(-((lead / wall_mm) ** 2)) + 0.25 * np.exp(-lead / (3.5 * wall_mm))
    return wall * np.clip(0.45 + 0.6 * patchy, 0.03, 1.4)


def _scattered(generator: np.random.Generator, size: Floats, cell_mm: float) -> Floats:
    """(n, 2) places of about one in each square of that size, none very near to another."""
    counts = np.maximum(1, np.rint(size / cell_mm)).astype(int)
    corners = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1).reshape(-1, 2)
    return (corners + generator.uniform(0.15, 0.85, corners.shape)) * size / counts
