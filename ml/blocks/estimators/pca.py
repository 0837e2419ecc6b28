"""Principal components."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn import decomposition
from torch import Tensor

from ml.blocks.estimators.base import Estimator


class PCA(Estimator):
    """(N, D) to (N, K): the first `count` components, or as many as hold the share `variance` of the variance.

    K is at most min(N, D) of the training rows.
    """

    mean: Tensor
    components: Tensor
    explained: Tensor

    def __init__(self, count: int | None = None, variance: float = 0.95) -> None:
        super().__init__({"mean": torch.float64, "components": torch.float64, "explained": torch.float64})
        self.count, self.variance = count, variance

    def fit(self, x: npt.ArrayLike, y: Any = None, *, seed: int = 0) -> Self:
        """x (N, D) with N > 1; the decomposition is exact, so seed has no part in it."""
        rows = np.asarray(x, np.float64)
        kept = self.variance if self.count is None else min(self.count, *rows.shape)
        found = decomposition.PCA(kept, svd_solver="full").fit(rows)
        self.keep(mean=found.mean_, components=found.components_, explained=found.explained_variance_ratio_)
        return self

    def forward(self, x: Tensor) -> Tensor:
        return (self.checked(x) - self.mean) @ self.components.T
