"""Whether a probability means what it says, and the one number that mends it.

Binary: p (N,) of the positive class and y in {0, 1}. Multi-class: p (N, C) and y in {0..C-1}.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from ml.evaluation.undefined import Undefined

Floats = npt.NDArray[np.float64]
STABLE_FROM = 100
"""With fewer units a calibration error is mostly noise, and is reported as unstable."""
CALIBRATE_FROM = 50


@dataclass(frozen=True)
class Bins:
    """A reliability diagram: of each non-empty bin the units, the mean confidence and the share that came true."""

    n: Floats
    confidence: Floats
    observed: Floats

    @property
    def ece(self) -> float:
        return float((self.n / self.n.sum() * np.abs(self.confidence - self.observed)).sum())

    @property
    def mce(self) -> float:
        return float(np.abs(self.confidence - self.observed).max())


def brier(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Mean squared distance of the probabilities from what was; multi-class: summed over the classes."""
    rows = np.asarray(p, np.float64)
    return float(np.mean(_squares(y, rows))) if len(rows) else _empty()


def brier_weighted(y: npt.ArrayLike, p: npt.ArrayLike, weights: Floats) -> Floats:
    """(B,) from weights (B, N)."""
    return (weights @ _squares(y, np.asarray(p, np.float64))) / weights.sum(axis=1)


def reliability(
    y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 15, binning: Literal["width", "count"] = "width"
) -> Bins:
    """Bins of equal width, or of equal count; multi-class uses the top class and whether it was right."""
    confidence, came_true = _top(np.asarray(y, np.int64), np.asarray(p, np.float64))
    if not len(confidence):
        raise Undefined("empty")
    if binning == "width":
        own = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    else:
        own = np.empty(len(confidence), np.int64)
        own[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * bins // len(confidence)
    n = np.bincount(own, minlength=bins).astype(np.float64)
    used = n > 0
    mean = [np.bincount(own, weights=of, minlength=bins)[used] / n[used] for of in (confidence, came_true)]
    return Bins(n=n[used], confidence=mean[0], observed=mean[1])


def nll(y: npt.ArrayLike, logits: npt.ArrayLike, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of soft-max(logits / T); logits (N, C)."""
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(axis=1, keepdims=True)
    own = z[np.arange(len(z)), np.asarray(y, np.int64)]
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - own))


def fit_temperature(y: npt.ArrayLike, logits: npt.ArrayLike, *, least: int = CALIBRATE_FROM) -> float:
    """T in [.05, 20] that makes the validation labels likeliest; 1 with fewer than `least` units or one class."""
    labels = np.asarray(y, np.int64)
    if len(labels) < least or len(np.unique(labels)) < 2:
        return 1.0
    found = minimize_scalar(
        lambda log_t: nll(labels, logits, math.exp(log_t)),
        bounds=(math.log(0.05), math.log(20.0)),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(math.exp(found.x))


def _squares(y: npt.ArrayLike, p: Floats) -> Floats:
    labels = np.asarray(y, np.int64)
    if p.ndim == 1:
        return (p - labels) ** 2
    return ((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1)


def _top(labels: npt.NDArray[np.int64], p: Floats) -> tuple[Floats, Floats]:
    if p.ndim == 1:
        return p, labels.astype(np.float64)
    return p.max(axis=1), (p.argmax(axis=1) == labels).astype(np.float64)


def _empty() -> float:
    raise Undefined("empty")
