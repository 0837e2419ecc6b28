"""Logistic regression with L2, its strength chosen by folds of patients: the bar that a network has to clear."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float64]
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse L2 strengths tried; the smallest of the equally good is taken."""
FOLDS = 5


def fit(x: Floats, y: npt.NDArray[np.int64], patients: Sequence[str], seed: int = 0) -> Pipeline:
    """Multinomial logistic regression. x (N, D), y (N,) class indices; needs two classes at least."""
    fold = np.array([_fold(seed, patient) for patient in patients])
    losses = {c: _held_out_loss(c, x, y, fold) for c in STRENGTHS}
    return _model(min(losses, key=lambda c: (round(losses[c], 9), c))).fit(x, y)


def predict(model: Pipeline, x: Floats, classes: int) -> Floats:
    """Probabilities of all classes, (N, classes); a class that training never saw has 0."""
    p = np.zeros((len(x), classes))
    if len(x):
        p[:, model.classes_] = model.predict_proba(x)
    return p


def _model(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))


def _held_out_loss(strength: float, x: Floats, y: npt.NDArray[np.int64], fold: npt.NDArray[np.int64]) -> float:
    losses = []
    for k in range(FOLDS):
        train, held = fold != k, fold == k
        if held.any() and len(np.unique(y[train])) > 1:
            p = predict(_model(strength).fit(x[train], y[train]), x[held], int(y.max()) + 1)
            losses.append(-np.log(np.maximum(p[np.arange(len(p)), y[held]], 1e-6)).mean())
    return float(np.mean(losses)) if losses else 0.0


def _fold(seed: int, patient: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{patient}".encode()).digest()[:8], "big") % FOLDS
