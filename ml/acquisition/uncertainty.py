"""How unsure a model is of one thing, in nats: entropy of one answer, mutual information over several.

Rows that are no probabilities (outside [0, 1], or not summing to 1) come out as NaN, which the order treats as
unscored; they never pass for certain or for unsure.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RANGE_TOLERANCE = 1e-6
SUM_TOLERANCE = 1e-3
"""Sums of float16 soft-max outputs are off by up to about this."""


def probabilities(p: npt.ArrayLike) -> Floats:
    """Clip and renormalise class probabilities, shape (..., C), in float64; a row that is none becomes NaN."""
    rows = np.asarray(p, np.float64)
    total = rows.sum(axis=-1, keepdims=True)
    good = np.abs(total - 1.0) <= SUM_TOLERANCE
    good &= ((rows >= -RANGE_TOLERANCE) & (rows <= 1.0 + RANGE_TOLERANCE)).all(axis=-1, keepdims=True)
    clipped = np.clip(rows, 0.0, 1.0)
    return np.where(good, clipped / np.where(good, clipped.sum(axis=-1, keepdims=True), 1.0), np.nan)


def two_class(p: npt.ArrayLike) -> Floats:
    """The probability of a finding, shape (...,), as two classes, shape (..., 2)."""
    present = np.asarray(p, np.float64)
    return np.stack([1.0 - present, present], axis=-1)


def entropy(p: npt.ArrayLike) -> Floats:
    """Shannon entropy of each row of shape (..., C). x ln x is 0 at 0 by masking: an epsilon would move the order."""
    rows = probabilities(p)
    logs = np.log(np.where(rows > 0.0, rows, 1.0))
    return np.maximum(-(rows * logs).sum(axis=-1), 0.0)


def mutual_information(passes: npt.ArrayLike) -> Floats:
    """What T passes disagree on (BALD): entropy of their mean minus their mean entropy. (T, ..., C) to (...).

    Source: Houlsby et al. 2011; Gal et al. 2017 for dropout passes.
    """
    rows = probabilities(passes)
    return np.maximum(entropy(rows.mean(axis=0)) - entropy(rows).mean(axis=0), 0.0)
