"""Density without a network: the most frequent class, and a regression on the breast's histogram."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import skew
from skimage.filters import threshold_otsu
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ml.evaluation.baselines.pixels import Prepared

Floats = npt.NDArray[np.float64]
CLASSES = 4
BINS = 64
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse L2 strengths tried; the smallest of the equally good is taken."""
FOLDS = 5


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


def fit(x: Floats, y: npt.NDArray[np.int64], patients: Sequence[str], seed: int = 0) -> Pipeline:
    """Multinomial logistic regression with L2, its strength chosen by folds of patients. x (N, 68), y (N,).

    Needs two classes at least.
    """
    fold = np.array([_fold(seed, patient) for patient in patients])
    losses = {c: _held_out_loss(c, x, y, fold) for c in STRENGTHS}
    return _model(min(losses, key=lambda c: (round(losses[c], 9), c))).fit(x, y)


def predict(model: Pipeline, x: Floats) -> Floats:
    """Probabilities of all four classes, (N, 4); a class that training never saw has 0."""
    p = np.zeros((len(x), CLASSES))
    p[:, model.classes_] = model.predict_proba(x)
    return p


def by_exam(p: Floats, exams: Sequence[str]) -> Mapping[str, Floats]:
    """Mean of the probabilities over the images of each exam."""
    return {exam: p[[own == exam for own in exams]].mean(axis=0) for exam in dict.fromkeys(exams)}


def _model(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))


def _held_out_loss(strength: float, x: Floats, y: npt.NDArray[np.int64], fold: npt.NDArray[np.int64]) -> float:
    losses = []
    for k in range(FOLDS):
        train, held = fold != k, fold == k
        if held.any() and len(np.unique(y[train])) > 1:
            p = predict(_model(strength).fit(x[train], y[train]), x[held])
            losses.append(-np.log(np.maximum(p[np.arange(len(p)), y[held]], 1e-6)).mean())
    return float(np.mean(losses)) if losses else 0.0


def _fold(seed: int, patient: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{patient}".encode()).digest()[:8], "big") % FOLDS
