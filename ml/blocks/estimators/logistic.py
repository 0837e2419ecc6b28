"""Logistic regression with an L2 penalty."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from torch import Tensor

from ml.blocks.estimators.base import Estimator, Floats, Labels, all_logits, training_rows


class LogisticRegression(Estimator):
    """(N, D) to probabilities (N, C). `strength` is C of the penalty |w|^2 / (2C), the intercept is free.

    `balanced`: rows weigh by the inverse of their class's share. `non_negative` (two classes): no weight is under 0,
    so that no member of an ensemble counts against itself.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, classes: int = 2, *, strength: float = 1.0, balanced: bool = False, non_negative: bool = False
    ) -> None:
        super().__init__({"weight": torch.float64, "bias": torch.float64})
        assert classes == 2 or not non_negative, "non-negative weights are for two classes"
        self.classes, self.strength = classes, strength
        self.balanced, self.non_negative = balanced, non_negative

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int = 0) -> Self:
        """x (N, D), y (N,) class indices. The optimum is unique, so seed has no part in it. Raises RunRefused."""
        rows, labels = training_rows(x, y, self.classes)
        if self.non_negative:
            weight, bias = self._fit_non_negative(rows, labels)
            present = np.array([0, 1])
        else:
            weights = "balanced" if self.balanced else None
            found = SklearnLogistic(C=self.strength, class_weight=weights, tol=1e-8, max_iter=10_000).fit(rows, labels)
            weight, bias, present = found.coef_, found.intercept_, found.classes_
        logits = all_logits(np.vstack([weight.T, bias]), present, self.classes)  # (D + 1, C)
        logits[:-1][:, ~np.isin(np.arange(self.classes), present)] = 0.0
        self.keep(weight=logits[:-1].T, bias=logits[-1])
        return self

    def _fit_non_negative(self, rows: Floats, labels: Labels) -> tuple[Floats, Floats]:
        signs = 2.0 * labels - 1
        share = np.bincount(labels, minlength=2) / len(labels)
        per_row = 1 / (2 * share[labels]) if self.balanced else np.ones(len(labels))

        def objective(w: Floats) -> tuple[float, Floats]:
            margin = signs * (rows @ w[:-1] + w[-1])
            pull = -self.strength * per_row * signs / (1 + np.exp(np.clip(margin, -500, 500)))
            value = self.strength * (per_row * np.logaddexp(0, -margin)).sum() + w[:-1] @ w[:-1] / 2
            return value, np.append(rows.T @ pull + w[:-1], pull.sum())

        bounds = [(0, None)] * rows.shape[1] + [(None, None)]
        start = np.zeros(rows.shape[1] + 1)
        options = {"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-9}
        w = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
        return w[None, :-1], w[-1:]

    def logits(self, x: Tensor) -> Tensor:
        """(N, C); of two classes [0, z]."""
        return self.checked(x) @ self.weight.T + self.bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), 1)
