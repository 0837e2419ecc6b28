"""What a ranking of units is worth, for many weightings at once: partial AUC, precision, operating points.

The counterparts of `ml.evaluation.classification` for the bootstrap: from weights (B, N), one row a replicate, to
values (B,), NaN where a replicate lacks a class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.evaluation.classification import checked

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """True and false positive weights at each distinct score from the highest down, starting at none: (B, T + 1)."""

    true: Floats
    false: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Replicates with both classes, (B,)."""
        both: npt.NDArray[np.bool_] = (self.true[:, -1] > 0) & (self.false[:, -1] > 0)
        return both

    @property
    def tpr(self) -> Floats:
        return self.true / np.maximum(self.true[:, -1:], 1e-300)

    @property
    def fpr(self) -> Floats:
        return self.false / np.maximum(self.false[:, -1:], 1e-300)


def steps(y: npt.ArrayLike, s: npt.ArrayLike, weights: Floats) -> Steps:
    """The ROC's corners of B weightings."""
    labels, scores = checked(y, s)
    start = np.zeros((len(weights), 1))
    if not len(scores):
        return Steps(start, start)
    by_score = np.argsort(-scores, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(scores[by_score]) < 0])
    w = weights[:, by_score]
    true = np.cumsum(np.add.reduceat(w * labels[by_score], first, axis=1), axis=1)
    false = np.cumsum(np.add.reduceat(w * (1 - labels[by_score]), first, axis=1), axis=1)
    return Steps(np.hstack([start, true]), np.hstack([start, false]))


def average_precision(curve: Steps) -> Floats:
    """Sum of precision times the recall gained, equal scores together."""
    called = curve.true + curve.false
    precision = np.divide(curve.true, called, out=np.zeros_like(called), where=called > 0)
    return _known(curve, (np.diff(curve.tpr, axis=1) * precision[:, 1:]).sum(axis=1))


def partial_auc(curve: Steps, fpr: float = 0.1) -> Floats:
    """Area of the ROC up to a false positive rate, standardised to .5 for chance and 1 for perfect."""
    x, y = curve.fpr, curve.tpr
    left, right = x[:, :-1], np.minimum(x[:, 1:], fpr)
    width = x[:, 1:] - left
    share = np.divide(right - left, width, out=np.zeros_like(width), where=width > 0)
    edge = y[:, :-1] + share * (y[:, 1:] - y[:, :-1])
    area = (np.maximum(right - left, 0.0) * (y[:, :-1] + edge) / 2).sum(axis=1)
    least = fpr**2 / 2
    return _known(curve, 0.5 * (1 + (area - least) / (fpr - least)))


def sensitivity_at(curve: Steps, specificity: float) -> Floats:
    """Largest sensitivity with at least this specificity, no interpolation."""
    return _known(curve, np.where(1 - curve.fpr >= specificity - 1e-12, curve.tpr, 0.0).max(axis=1))


def specificity_at(curve: Steps, sensitivity: float) -> Floats:
    """Largest specificity with at least this sensitivity, no interpolation."""
    return _known(curve, np.where(curve.tpr >= sensitivity - 1e-12, 1 - curve.fpr, 0.0).max(axis=1))


def _known(curve: Steps, values: Floats) -> Floats:
    return np.where(curve.known, values, np.nan)
