"""Baselines of the learning checks: what an image says without being looked at. No method, no gradient step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.methods.measures import white_noise
from bench.methods.worlds import Made


def statistics(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(N, 6) of (N, V, H, W): mean, spread, most, 95th percentile, share of tissue, left less right half or side."""
    flat = x.reshape(len(x), -1)
    middle = x.shape[-1] // 2
    first, other = (x[:, 0::2], x[:, 1::2]) if x.shape[1] > 1 else (x[..., :middle], x[..., middle:])
    sides = first.reshape(len(x), -1).mean(1) - other.reshape(len(x), -1).mean(1)
    high = np.percentile(flat, 95, axis=1)
    return np.stack([flat.mean(1), flat.std(1), flat.max(1), high, (flat > 0).mean(1), sides], axis=1)


def six_statistics(world: Made, metric: str) -> float:
    """A logistic regression on six statistics of the whole, on the test phantoms."""
    train, test = world.split == "train", world.split == "test"
    found = statistics(world.x)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(found[train], world.y[train])
    if metric == "accuracy":
        return float((model.predict(found[test]) == world.y[test]).mean())
    said = model.predict_proba(found[test])
    if said.shape[1] == 2:
        return float(roc_auc_score(world.y[test] > 0, said[:, 1]))
    return float(roc_auc_score(world.y[test], said, multi_class="ovr"))


BASELINES: Mapping[str, Callable[[Made, str], float]] = {"six statistics": six_statistics, "white noise": white_noise}
