"""Density without a network: the most frequent class, and a regression on the breast's histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import skew
from skimage.filters import threshold_otsu

from ml.evaluation.baselines.pixels import Prepared

Floats = npt.NDArray[np.float64]
CLASSES = 4
BINS = 64


def prior(labels: Sequence[int]) -> Floats:
    """Class frequencies of the training exams, (4,): what one says of an exam without looking."""
    return np.bincount(np.asarray(labels, np.int64), minlength=CLASSES) / max(len(labels), 1)


def features(image: Prepared) -> Floats:
    """Histogram inside the breast (64 bins), share above Otsu's threshold, mean, sd, skewness. (68,)."""
    inside = np.asarray(image.x, np.float64)[np.asarray(image.mask, bool)]
    if len(inside) < 2 or np.ptp(inside) < 1e-6:
        return np.zeros(BINS + 4)
    histogram = np.histogram(inside, bins=BINS, range=(0.0, 1.0))[0] / len(inside)
    share = float((inside > threshold_otsu(inside)).mean())
    return np.r_[histogram, share, inside.mean(), inside.std(), float(skew(inside))]


def by_exam(p: Floats, exams: Sequence[str]) -> Mapping[str, Floats]:
    """Mean of the probabilities over the images of each exam."""
    return {exam: p[[own == exam for own in exams]].mean(axis=0) for exam in dict.fromkeys(exams)}


def bright_share(image: Prepared) -> float:
    """Percent density by Otsu: the share of the breast above Otsu's threshold inside it, in [0, 1]."""
    return float(features(image)[BINS])


def cuts(shares: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Shares at which A ends, B ends, C ends, (3,): as many training exams lie below as their readers put there."""
    below = np.cumsum(prior(np.asarray(labels, np.int64).tolist()))[: CLASSES - 1]
    return np.quantile(np.asarray(shares, np.float64), np.minimum(below, 1.0))


def by_cuts(share: float, at: Floats) -> Floats:
    """The class of a share as a probability of 1, (4,)."""
    return np.eye(CLASSES)[int(np.searchsorted(at, share, "left"))]
