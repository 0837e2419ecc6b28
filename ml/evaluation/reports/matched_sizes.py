"""Lesion and background regions in pairs of one size, so that the size of a square tells nothing.

Backgrounds take their sizes from marks, yet the largest find no place: what is left are smaller squares than the
lesions', and size alone ranks them. Source of the demand: methods.md 2.7 and 5.6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CALIPER = 0.05
"""Two squares are of one size where the logarithms of their sides are at most this far apart."""


def in_pairs(sides: npt.ArrayLike, positive: npt.ArrayLike, caliper: float = CALIPER) -> npt.NDArray[np.bool_]:
    """Which regions are kept: sides (N,) and positive (N,) to (N,) bool, as many of one sort as of the other.

    The widest pairing by size: both sorts in order of size, each taken with the first of the other that is within the
    caliper. Of intervals of one width this loses no pair that another pairing would have. What has no size (a side
    that is not above 0) is in no pair.
    """
    side, is_positive = np.asarray(sides, np.float64), np.asarray(positive, bool)
    sized = side > 0
    size = np.log(side, out=np.zeros_like(side), where=sized)
    ones, others = (np.flatnonzero(sort & sized) for sort in (is_positive, ~is_positive))
    ones, others = (sort[np.argsort(size[sort], kind="stable")] for sort in (ones, others))
    keep = np.zeros(len(side), bool)
    a = b = 0
    while a < len(ones) and b < len(others):
        apart = size[ones[a]] - size[others[b]]
        if abs(apart) <= caliper:
            keep[[ones[a], others[b]]] = True
        a += apart <= caliper
        b += apart >= -caliper
    return keep
