"""Support vector machine with a Gaussian kernel, its margin made a probability by Platt scaling."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.svm import SVC
from torch import Tensor

from ml.blocks.estimators.base import Estimator, Floats, Labels, training_rows
from ml.blocks.estimators.calibration import Platt

FOLDS = 5


class RbfSvm(Estimator):
    """(N, D) standardised features to probabilities (N, 2).

    `decision` is sum_i a_i exp(-gamma |x - s_i|^2) + b over the support vectors s. `strength` is C; gamma is
    1 / (D var x). The scaling is fitted on out-of-fold margins: on its own rows a margin is too good.
    """

    support: Tensor
    dual: Tensor
    offset: Tensor
    gamma: Tensor

    def __init__(self, *, strength: float = 1.0, balanced: bool = True) -> None:
        super().__init__(dict.fromkeys(("support", "dual", "offset", "gamma"), torch.float64))
        self.strength, self.balanced = strength, balanced
        self.platt = Platt()

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int, groups: npt.ArrayLike | None = None) -> Self:
        """x (N, D), y (N,) in {0, 1}; `groups` (N,): patients, which no two folds share. Raises RunRefused."""
        rows, labels = training_rows(x, y, 2)
        machine = SVC(C=self.strength, gamma="scale", class_weight="balanced" if self.balanced else None)
        self.platt.fit(self._out_of_fold(machine, rows, labels, seed, groups), labels)
        machine.fit(rows, labels)
        spread = float(rows.var())
        self.keep(
            support=machine.support_vectors_,
            dual=machine.dual_coef_[0],
            offset=machine.intercept_,
            gamma=[1 / (rows.shape[1] * spread) if spread else 1.0],
        )
        return self

    def _out_of_fold(
        self, machine: SVC, rows: Floats, labels: Labels, seed: int, groups: npt.ArrayLike | None
    ) -> Floats:
        units = np.arange(len(labels)) if groups is None else np.asarray(groups)
        folds = min(FOLDS, *(len(np.unique(units[labels == label])) for label in (0, 1)))
        if folds < 2:  # nothing can be held out; the own margins are all there is
            return clone(machine).fit(rows, labels).decision_function(rows)
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cut = kind(folds, shuffle=True, random_state=seed)
        return cross_val_predict(machine, rows, labels, groups=groups, cv=cut, method="decision_function")

    def decision(self, x: Tensor) -> Tensor:
        """(N,) the margin, positive for class 1."""
        # The faster way by products loses half of the digits for near rows.
        exact = "donot_use_mm_for_euclid_dist"
        near = torch.exp(-self.gamma * torch.cdist(self.checked(x), self.support, compute_mode=exact) ** 2)
        return near @ self.dual + self.offset

    def forward(self, x: Tensor) -> Tensor:
        return self.platt(self.decision(x))
