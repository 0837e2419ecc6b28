"""Scores made into probabilities that mean what they say: Platt scaling and temperature."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from torch import Tensor

from ml.blocks.estimators.base import Estimator, Floats, training_rows
from ml.evaluation.calibration import fit_temperature


class Platt(Estimator):
    """Scores (N,) or (N, 1) to probabilities (N, 2): sigmoid(slope s + offset) for class 1.

    The labels are drawn in as Platt 1999 does, (n+ + 1) / (n+ + 2) and 1 / (n- + 2), so that separable scores do not
    make a step.
    """

    slope: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__({"slope": torch.float64, "offset": torch.float64})

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int = 0) -> Self:
        """x (N,) scores, y (N,) in {0, 1}; the optimum is unique, so seed has no part in it. Raises RunRefused."""
        rows, labels = training_rows(np.asarray(x, np.float64).reshape(-1, 1), y, 2)
        scores, scale = rows[:, 0], max(float(np.abs(rows).max()), 1e-12)
        count = np.bincount(labels, minlength=2)
        target = np.where(labels == 1, (count[1] + 1) / (count[1] + 2), 1 / (count[0] + 2))
        start = np.array([0.0, np.log((count[1] + 1) / (count[0] + 1))])

        def objective(w: Floats) -> tuple[float, Floats]:
            z = w[0] * scores / scale + w[1]
            pull = 1 / (1 + np.exp(-np.clip(z, -500, 500))) - target
            return (np.logaddexp(0, z) - target * z).sum(), np.array([pull @ scores / scale, pull.sum()])

        w = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-9}).x
        self.keep(slope=[w[0] / scale], offset=[w[1]])
        return self

    def logits(self, x: Tensor) -> Tensor:
        """(N, 2): [0, z]."""
        z = self.checked(x).reshape(-1) * self.slope + self.offset
        return torch.stack([torch.zeros_like(z), z], 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.logits(x), 1)


class Temperature(Estimator):
    """Logits (N, C) to probabilities softmax(logits / T): confidence changes, the order of the classes does not."""

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__({"temperature": torch.float64})

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int = 0) -> Self:
        """x (N, C) validation logits, y (N,) class indices; 1 with too few rows. Seed has no part in it."""
        self.keep(temperature=[fit_temperature(y, x)])
        return self

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.checked(x) / self.temperature, 1)
