"""Features brought to mean 0 and deviation 1."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ml.blocks.estimators.base import Estimator


class Standardiser(Estimator):
    """(N, D) to (x - mean) / scale; a constant feature has scale 1."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__({"mean": torch.float64, "scale": torch.float64})

    def fit(self, x: npt.ArrayLike, y: Any = None, *, seed: int = 0) -> Self:
        """x (N, D); y and seed have no part in it."""
        rows = np.asarray(x, np.float64)
        scale = rows.std(0)
        # Rounding leaves a constant feature a deviation of about its last digit, which would be blown up to 1.
        constant = scale <= 10 * np.finfo(np.float64).eps * np.maximum(1.0, np.abs(rows).max(0))
        self.keep(mean=rows.mean(0), scale=np.where(constant, 1.0, scale))
        return self

    def forward(self, x: Tensor) -> Tensor:
        return (self.checked(x) - self.mean) / self.scale
