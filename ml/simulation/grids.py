"""From a coarse grid to the pixels."""

from __future__ import annotations

import numpy as np
from scipy import interpolate

from ml.simulation.model import Floats


def enlarged(coarse: Floats, *, step: float, first: tuple[float, float], shape: tuple[int, int]) -> Floats:
    """(shape) a coarse grid by cubic splines: output index i lies at coarse index first + step * i, held at the edges.

    Along each axis it is a product with a small matrix, which is far faster than a general resampling.
    """
    rows, cols = (
        _matrix(size, begin + step * np.arange(n, dtype=np.float64))
        for size, begin, n in zip(coarse.shape, first, shape, strict=True)
    )
    return rows @ coarse @ cols.T


def _matrix(size: int, at: Floats) -> Floats:
    """(len(at), size) weights of each coarse value."""
    knots = np.arange(size, dtype=float)
    return interpolate.make_interp_spline(knots, np.eye(size), k=3)(np.clip(at, 0, size - 1))
