"""Many linear discriminants, each on a random share of the features. Source: Ho 1998 (random subspaces)."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier
from torch import Tensor

from ml.blocks.estimators.base import Estimator, all_logits, training_rows


class SubspaceDiscriminants(Estimator):
    """(N, D) to probabilities (N, C), the mean of the members' soft-max.

    Member m sees the features `chosen[m]` (M, K), K = `share` of D, and has logits `weight[m]` (C, K) x + `bias[m]`.
    Covariances are shrunk (Ledoit and Wolf), since a member may see more features than there are rows.
    """

    chosen: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, classes: int = 2, *, count: int = 30, share: float = 0.5) -> None:
        super().__init__({"chosen": torch.int64, "weight": torch.float64, "bias": torch.float64})
        self.classes, self.count, self.share = classes, count, share

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int) -> Self:
        """x (N, D), y (N,) class indices. Raises RunRefused."""
        rows, labels = training_rows(x, y, self.classes)
        ensemble = self.ensemble(seed).fit(rows, labels)
        present = ensemble.classes_
        weights = np.stack([member.coef_ for member in ensemble.estimators_])  # (M, 1 or C, K)
        biases = np.stack([member.intercept_ for member in ensemble.estimators_])
        weight = all_logits(np.swapaxes(weights, 1, 2), present, self.classes)  # (M, K, C)
        weight[..., ~np.isin(np.arange(self.classes), present)] = 0.0
        self.keep(
            chosen=np.stack(ensemble.estimators_features_),
            weight=np.swapaxes(weight, 1, 2),
            bias=all_logits(biases, present, self.classes),
        )
        return self

    def ensemble(self, seed: int) -> BaggingClassifier:
        """What is fitted: every member sees all rows and its own features."""
        member = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        return BaggingClassifier(member, self.count, max_features=self.share, bootstrap=False, random_state=seed)

    def members(self, x: Tensor) -> Tensor:
        """(M, N, C) probabilities of each member, as Monte-Carlo passes come."""
        seen = self.checked(x)[:, self.chosen].transpose(0, 1)  # (M, N, K)
        return torch.softmax(seen @ self.weight.transpose(1, 2) + self.bias[:, None], 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.members(x).mean(0)
