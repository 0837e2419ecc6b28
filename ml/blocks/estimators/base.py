"""What all estimators are: arrays in buffers whose shapes depend on the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ml.runs.errors import refused

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

ABSENT_LOGIT = -1e4
"""Of a class that training did not show: its probability is 0, and the number is still finite."""


class Estimator(nn.Module):
    """A module without parameters: `fit` keeps arrays, `forward` computes with them in float64.

    Unfitted, every array is empty. A state dict of any shapes loads, since the number of trees or of components is
    not known before the fit. Nothing of scikit-learn is kept, so nothing is ever pickled.
    """

    def __init__(self, arrays: Mapping[str, torch.dtype]) -> None:
        super().__init__()
        self.names = tuple(arrays)
        for name, dtype in arrays.items():
            self.register_buffer(name, torch.empty(0, dtype=dtype))

    @property
    def fitted(self) -> bool:
        return all(self.get_buffer(name).numel() for name in self.names)

    def keep(self, **arrays: npt.ArrayLike) -> None:
        """Store arrays under their names, with the dtype that the estimator declared."""
        assert set(arrays) == set(self.names), f"{type(self).__name__} keeps {self.names}"
        for name, array in arrays.items():
            old = self.get_buffer(name)
            setattr(self, name, torch.as_tensor(np.ascontiguousarray(array)).to(old.device, old.dtype))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in self.names:
            if (stored := state_dict.get(prefix + name)) is not None:
                own = self.get_buffer(name)
                setattr(self, name, torch.empty(stored.shape, dtype=own.dtype, device=own.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def checked(self, x: Tensor) -> Tensor:
        """x (N, D) in float64 where the arrays are, of an estimator that was fitted."""
        assert self.fitted, f"{type(self).__name__} was not fitted"
        return x.to(self.get_buffer(self.names[0]).device, torch.float64)


def training_rows(x: npt.ArrayLike, y: npt.ArrayLike, classes: int) -> tuple[Floats, Labels]:
    """Features (N, D) and labels (N,) in 0..classes-1. Raises RunRefused when all labels are of one class."""
    features, labels = np.asarray(x, np.float64), np.asarray(y, np.int64)
    assert features.ndim == 2 and labels.shape == features.shape[:1], "features are (N, D), labels (N,)"
    assert np.isfinite(features).all(), "features must be finite"
    assert labels.min() >= 0 and labels.max() < classes, f"labels are 0..{classes - 1}"
    if len(np.unique(labels)) < 2:
        raise refused("one_class", "all training rows have the same label, so there is nothing to tell apart")
    return features, labels


def all_logits(logits: Floats, present: Labels, classes: int) -> Floats:
    """(..., classes) from what scikit-learn keeps of the classes it saw: one column for two of them, else one each.

    Two classes are [0, z], as everywhere; a class that was not seen gets `ABSENT_LOGIT`.
    """
    if len(present) == 2:
        logits = np.concatenate([np.zeros_like(logits), logits], -1)
    full = np.full((*logits.shape[:-1], classes), ABSENT_LOGIT)
    full[..., present] = logits
    return full
