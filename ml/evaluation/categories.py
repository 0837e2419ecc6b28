"""How well classes with an order are told apart: kappa, accuracy, F1, from one confusion matrix.

A matrix has truth in its rows and the prediction in its columns; `matrices` (B, K, K) gives B values at once, one a
bootstrap replicate, NaN where undefined.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.evaluation.undefined import Undefined

Floats = npt.NDArray[np.float64]
Weighting = Literal["quadratic", "linear", "none"]


def confusion(truth: npt.ArrayLike, prediction: npt.ArrayLike, classes: int) -> Floats:
    """Counts, (K, K): row truth, column prediction."""
    return confusion_weighted(truth, prediction, classes, np.ones((1, len(np.asarray(truth)))))[0]


def confusion_weighted(truth: npt.ArrayLike, prediction: npt.ArrayLike, classes: int, weights: Floats) -> Floats:
    """(B, K, K) from weights (B, N)."""
    cell = np.asarray(truth, np.int64) * classes + np.asarray(prediction, np.int64)
    return (weights @ np.eye(classes * classes)[cell]).reshape(-1, classes, classes)


def kappa(matrices: npt.ArrayLike, weighting: Weighting = "quadratic") -> Floats:
    """Cohen's kappa, (..., K, K) to (...). NaN where both sides are of one class. Source: Cohen 1968."""
    m = np.asarray(matrices, np.float64)
    i, j = np.indices(m.shape[-2:])
    size = max(m.shape[-1] - 1, 1)
    w = {"quadratic": ((i - j) / size) ** 2, "linear": np.abs(i - j) / size, "none": (i != j) * 1.0}[weighting]
    total = m.sum((-2, -1))
    expected = m.sum(-1)[..., :, None] * m.sum(-2)[..., None, :]
    observed_loss = (w * m).sum((-2, -1)) * total
    expected_loss = (w * expected).sum((-2, -1))
    return 1.0 - _ratio(observed_loss, expected_loss)


def accuracy(matrices: npt.ArrayLike, within: int = 0) -> Floats:
    """Share whose prediction is at most `within` classes away from truth."""
    m = np.asarray(matrices, np.float64)
    i, j = np.indices(m.shape[-2:])
    return _ratio((m * (np.abs(i - j) <= within)).sum((-2, -1)), m.sum((-2, -1)))


def balanced_accuracy(matrices: npt.ArrayLike) -> Floats:
    """Mean recall over the classes that occur in truth."""
    m = np.asarray(matrices, np.float64)
    return _mean_of_known(_ratio(np.diagonal(m, axis1=-2, axis2=-1), m.sum(-1)))


def f1(matrices: npt.ArrayLike) -> Floats:
    """F1 of each class, (..., K); NaN where a class occurs neither in truth nor in the prediction."""
    m = np.asarray(matrices, np.float64)
    return _ratio(2 * np.diagonal(m, axis1=-2, axis2=-1), m.sum(-1) + m.sum(-2))


def macro_f1(matrices: npt.ArrayLike) -> Floats:
    """Mean F1 of the classes that have one."""
    return _mean_of_known(f1(matrices))


def defined(value: npt.ArrayLike, matrix: npt.ArrayLike) -> float:
    """A single value as a float. Raises Undefined (empty, one_class) where it is NaN."""
    number = float(np.asarray(value))
    if np.isnan(number):
        raise Undefined("empty" if not np.asarray(matrix).sum() else "one_class")
    return number


def _ratio(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=np.asarray(b) > 0)


def _mean_of_known(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1).astype(np.float64))
