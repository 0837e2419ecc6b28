"""How well scores tell the ill from the well: ROC, its area and interval, precision, operating points.

`y` is 0 or 1, shape (N,); `s` are scores of the same shape, higher = more suspicious. Where a function takes
`weights`, shape (B, N), it gives B values at once, one a bootstrap replicate, NaN where that replicate has one class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from ml.evaluation.undefined import NotAScore, Undefined

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DeLong:
    """An AUC with the components that its variance and comparisons are made of. Source: DeLong et al. 1988."""

    auc: float
    v10: Floats
    v01: Floats

    @property
    def variance(self) -> float:
        """Raises Undefined with fewer than two of a class."""
        if min(len(self.v10), len(self.v01)) < 2:
            raise Undefined("too_few")
        return float(self.v10.var(ddof=1) / len(self.v10) + self.v01.var(ddof=1) / len(self.v01))


@dataclass(frozen=True)
class Paired:
    """Difference of two AUCs on the same patients."""

    difference: float
    sd: float
    z: float
    p: float


def checked(y: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Ints, Floats]:
    """Labels and scores as arrays. Raises NotAScore on NaN or infinity, ValueError on unequal lengths."""
    labels, scores = np.asarray(y, np.int64), np.asarray(s, np.float64)
    if labels.shape != scores.shape:
        raise ValueError(f"{labels.shape} labels but {scores.shape} scores")
    if not np.isfinite(scores).all():
        raise NotAScore("a score is NaN or infinite")
    return labels, scores


def auc(y: npt.ArrayLike, s: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties half. Raises Undefined (one_class, empty)."""
    labels, scores = _two_classes(y, s)
    return float(auc_weighted(labels, scores, np.ones((1, len(labels))))[0])


def auc_weighted(y: npt.ArrayLike, s: npt.ArrayLike, weights: Floats) -> Floats:
    """The AUC of B weightings at once. (B, N) to (B,)."""
    labels, scores = checked(y, s)
    by_score = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[by_score]) > 0]) if len(scores) else np.array([], np.int64)
    if not len(starts):
        return np.full(len(weights), np.nan)
    w = weights[:, by_score]
    positive = np.add.reduceat(w * labels[by_score], starts, axis=1)
    negative = np.add.reduceat(w * (1 - labels[by_score]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - 0.5 * negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = (positive * below).sum(axis=1)
    return np.divide(wins, pairs, out=np.full(len(w), np.nan), where=pairs > 0)


def auc_one_vs_rest(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Macro mean over the classes that occur in truth of the AUC of each against the rest; p is (N, C)."""
    labels, rows = np.asarray(y, np.int64), np.asarray(p, np.float64)
    return float(np.mean([auc(labels == c, rows[:, c]) for c in np.unique(labels)])) if len(labels) else auc([], [])


def auc_one_vs_rest_weighted(y: npt.ArrayLike, p: npt.ArrayLike, weights: Floats) -> Floats:
    """The same of B weightings; a class that is not in a replicate's truth is left out of its mean."""
    labels, rows = np.asarray(y, np.int64), np.asarray(p, np.float64)
    if not len(labels):
        return np.full(len(weights), np.nan)
    each = np.stack([auc_weighted(labels == c, rows[:, c], weights) for c in np.unique(labels)])
    known = ~np.isnan(each)
    total = np.where(known, each, 0.0).sum(axis=0)
    return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(axis=0))


def delong(y: npt.ArrayLike, s: npt.ArrayLike) -> DeLong:
    """AUC with its structural components, in the order of the rows. One row a patient, else use the bootstrap."""
    labels, scores = _two_classes(y, s)
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = _wins(positive, negative)
    losses = 1.0 - _wins(negative, positive)
    return DeLong(auc=float(wins.mean()), v10=wins, v01=losses)


def delong_interval(found: DeLong, level: float = 0.95) -> tuple[float, float]:
    """Interval of the AUC on the logit. At an AUC of 1 (or 0, mirrored) the lower limit is .025^(1/min(m, n))."""
    if found.auc in (0.0, 1.0):
        far = ((1 - level) / 2) ** (1 / min(len(found.v10), len(found.v01)))
        return (far, 1.0) if found.auc == 1.0 else (0.0, 1 - far)
    a = found.auc
    half = norm.ppf(0.5 + level / 2) * math.sqrt(found.variance) / (a * (1 - a))
    low, high = (1 / (1 + math.exp(-(math.log(a / (1 - a)) + side * half))) for side in (-1, 1))
    return low, high


def delong_paired(y: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Paired:
    """Two scores of the same patients compared. Equal AUCs without variance give p = 1."""
    first, second = delong(y, a), delong(y, b)
    m, n = len(first.v10), len(first.v01)
    if min(m, n) < 2:
        raise Undefined("too_few")
    cov = np.cov(first.v10, second.v10)[0, 1] / m + np.cov(first.v01, second.v01)[0, 1] / n
    sd = math.sqrt(max(first.variance + second.variance - 2 * cov, 0.0))
    difference = first.auc - second.auc
    z = difference / sd if sd > 1e-12 else (0.0 if abs(difference) < 1e-12 else math.copysign(math.inf, difference))
    return Paired(difference=difference, sd=sd, z=z, p=float(2 * norm.sf(abs(z))))


def roc(y: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """False and true positive rates with their thresholds (score >= t is positive), from (0, 0, inf) to (1, 1)."""
    labels, scores = _two_classes(y, s)
    true, false, thresholds = _counts_from_above(labels, scores)
    return (
        np.r_[0.0, false / false[-1]],
        np.r_[0.0, true / true[-1]],
        np.r_[np.inf, thresholds],
    )


def partial_auc(y: npt.ArrayLike, s: npt.ArrayLike, fpr: float = 0.1) -> tuple[float, float]:
    """Area of the ROC up to a false positive rate: as it is, and standardised to .5 for chance and 1 for perfect."""
    x, t, _ = roc(y, s)
    # The rightmost point of a vertical step counts: the last index with this rate or less.
    last = int(np.searchsorted(x, fpr, "right")) - 1
    rest = (fpr - x[last]) / (x[last + 1] - x[last]) if last + 1 < len(x) else 0.0
    edge = t[last] + rest * (t[last + 1] - t[last]) if rest else t[last]
    area = float(np.trapezoid(np.r_[t[: last + 1], edge], np.r_[x[: last + 1], fpr]))
    least = fpr**2 / 2
    return area, 0.5 * (1 + (area - least) / (fpr - least))


def sensitivity_at(y: npt.ArrayLike, s: npt.ArrayLike, specificity: float) -> tuple[float, float]:
    """Largest sensitivity with at least this specificity, no interpolation, and its threshold (the higher if equal)."""
    x, t, thresholds = roc(y, s)
    best = int(np.argmax(np.where(1 - x >= specificity - 1e-12, t, -1.0)))
    return float(t[best]), float(thresholds[best])


def specificity_at(y: npt.ArrayLike, s: npt.ArrayLike, sensitivity: float) -> tuple[float, float]:
    """Largest specificity with at least this sensitivity, and its threshold."""
    x, t, thresholds = roc(y, s)
    best = int(np.argmax(np.where(t >= sensitivity - 1e-12, 1 - x, -1.0)))
    return float(1 - x[best]), float(thresholds[best])


def average_precision(y: npt.ArrayLike, s: npt.ArrayLike) -> float:
    """Sum of precision times the recall gained, equal scores taken together."""
    labels, scores = _two_classes(y, s)
    true, false, _ = _counts_from_above(labels, scores)
    return float(np.sum(np.diff(np.r_[0.0, true / true[-1]]) * true / (true + false)))


def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share of k in n. Source: Wilson 1927. Raises Undefined (empty)."""
    if n == 0:
        raise Undefined("empty")
    z = float(norm.ppf(0.5 + level / 2))
    p, q = k / n, 1 + z * z / n
    centre, half = (p + z * z / (2 * n)) / q, z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / q
    return max(centre - half, 0.0), min(centre + half, 1.0)


def decision(y: npt.ArrayLike, s: npt.ArrayLike, threshold: float) -> dict[str, float | int | None]:
    """What calling every score >= threshold abnormal would do: counts, and the five rates, None where undefined."""
    labels, scores = checked(y, s)
    called = scores >= threshold
    tp, fp = int((called & (labels == 1)).sum()), int((called & (labels == 0)).sum())
    fn, tn = int((labels == 1).sum()) - tp, int((labels == 0).sum()) - fp

    def rate(k: int, n: int) -> float | None:
        return k / n if n else None

    return {
        "tp": tp, "fp": fp, "fn": fn, "tn": tn,
        "sensitivity": rate(tp, tp + fn),
        "specificity": rate(tn, tn + fp),
        "ppv": rate(tp, tp + fp),
        "npv": rate(tn, tn + fn),
        "abnormal_rate": rate(tp + fp, len(labels)),
    }  # fmt: skip


def _two_classes(y: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Ints, Floats]:
    labels, scores = checked(y, s)
    if not len(labels):
        raise Undefined("empty")
    if labels.min() == labels.max():
        raise Undefined("one_class")
    return labels, scores


def _wins(a: Floats, b: Floats) -> Floats:
    """For each of a: the share of b below it, ties half."""
    ordered = np.sort(b)
    return (np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")) / (2 * len(b))


def _counts_from_above(labels: Ints, scores: Floats) -> tuple[Floats, Floats, Floats]:
    """True and false positives at each distinct score from the highest down, and that score."""
    by_score = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(scores[by_score]) < 0, True])
    true = np.cumsum(labels[by_score])[ends].astype(np.float64)
    return true, ends + 1.0 - true, scores[by_score][ends]
