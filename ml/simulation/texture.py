"""Random textures: power-law fields as breast tissue has them, and thin strands.

The power spectrum of mammograms falls as 1 / f^beta with beta near 3. Source: A. E. Burgess, Med. Phys. 28 (2001) 419.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

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


def strands(field: Floats, width: float) -> Floats:
    """Thin curves where a smooth field crosses zero: 1 on the curve, 0 away from it. width is in units of the field."""
    return np.exp(-((field / width) ** 2))
