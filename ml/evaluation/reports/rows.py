"""One row of metrics.json for a model, for each baseline, and for the difference between them.

A figure is a function from weights of units (B, N) to values (B,), NaN where undefined; the point value is that of
weights of one, the interval that of the bootstrap's weights, and a difference uses the same draws on both sides.

A row: `name` is unique within (target, level, split); `metric` is the figure's own name, shared by `series` model,
baseline and difference; `baseline` names the baseline in the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration
from ml.evaluation.intervals import described, differ, percentile, undrawn

Floats = npt.NDArray[np.float64]
Figure = Callable[[Floats], Floats]
Rows = list[dict[str, Any]]
OTHER = "other"
"""What the second of two compared models is called among the rows: it stands where a baseline does."""
CELLS_AT_ONCE = 1_000_000
"""Weights (draws x units) that a figure is given at once, 8 MB."""


@dataclass(frozen=True)
class Scope:
    """What the rows are about: split, target, level, counts, and the draws (B, N) of the units' weights.

    folds (N,) says which fold a unit was tested in, where several runs are told together.
    """

    split: str
    target: str
    level: str
    weights: Floats
    n_patients: int
    n_pos_patients: int
    n_units: int
    n_pos: int
    n_neg: int
    params: Mapping[str, Any] = field(default_factory=dict)
    subgroup: Mapping[str, str] | None = None
    folds: npt.NDArray[np.int64] | None = None

    @cached_property
    def draws_differ(self) -> bool:
        return differ(self.weights)


def rows_of(
    scope: Scope,
    name: str,
    model: Figure,
    baselines: Mapping[str, Figure],
    why_null: str,
    *,
    suffix: str = "",
    within: bool = False,
    lower_is_better: bool = False,
    **params: Any,
) -> Rows:
    """The model's row, then for each baseline its row and the row of (model - baseline) with a paired interval.

    `why_null` is the reason where the value is undefined; `suffix` tells variants of one figure apart by name.
    `within`: the figure ranks units by scores that only mean the same inside a fold, so folds are averaged, not pooled.
    """
    ones = np.ones((1, scope.weights.shape[1]))
    if within and scope.folds is not None:
        folds = scope.folds
        model, baselines = within_folds(model, folds), {k: within_folds(f, folds) for k, f in baselines.items()}
        params |= {"folds": len(np.unique(folds)), "over_folds": "mean"}
    own = _Series(model(ones)[0], _drawn(model, scope.weights))
    rows = [_row(scope, name + suffix, name, "model", None, own, why_null, params)]
    for baseline, figure in baselines.items():
        other = _Series(figure(ones)[0], _drawn(figure, scope.weights))
        gap = _Series(own.value - other.value, own.draws - other.draws)
        for series, found in (("baseline", other), ("difference", gap)):
            full = f"{series}:{baseline}:{name}{suffix}"
            rows.append(_row(scope, full, name, series, baseline, found, why_null, params))
        low, high = rows[-1]["ci"] or (0.0, 0.0)
        rows[-1]["params"]["better"] = bool(high < 0 if lower_is_better else low > 0)
    return rows


def within_folds(figure: Figure, folds: npt.NDArray[np.int64]) -> Figure:
    """The mean of a figure over the folds in which it has a value; the others' units weigh nothing."""

    def mean(weights: Floats) -> Floats:
        each = np.stack([figure(weights * (folds == k)) for k in np.unique(folds)])
        known = ~np.isnan(each)
        total = np.where(known, each, 0.0).sum(axis=0)
        return np.divide(total, known.sum(axis=0), out=np.full(len(total), np.nan), where=known.any(axis=0))

    return mean


def mean_figure(values: Floats) -> Figure:
    """The weighted mean of units' values (N,); those that are NaN have none and are left out."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def figure(weights: Floats) -> Floats:
        total = weights @ known
        return np.divide(weights @ filled, total, out=np.full(len(weights), np.nan), where=total > 0)

    return figure


def replace_interval(row: dict[str, Any], ci: Sequence[float] | None, method: str, reason: str | None = None) -> None:
    """Put a closed-form interval in place of the drawn one; what describes the draws goes with it."""
    row["ci"], row["ci_method"] = (list(ci) if ci else None), method
    for name in ("replicates", "dropped", "se", "ci_reason"):
        row["params"].pop(name, None)
    if reason:
        row["params"]["ci_reason"] = reason


def point_row(scope: Scope, name: str, value: float | None, why_null: str = "", **params: Any) -> dict[str, Any]:
    """A model's row without an interval, for a figure that is too dear to draw again or means little redrawn."""
    row = _bare(scope, name, name, "model", None) | {"value": value, "ci": None, "ci_method": None}
    row["params"] = {**scope.params, **params}
    return row if value is not None else row | {"reason": why_null}


def ece_row(scope: Scope, y: npt.NDArray[np.int64], p: Floats) -> dict[str, Any]:
    """The calibration error of p (N,) or (N, C); beside it the widest bin's, and the error in bins of equal count."""
    if not len(y):
        return point_row(scope, "ece", None, "empty")
    bins, equal = (calibration.reliability(y, p, binning=how) for how in ("width", "count"))
    unstable = len(y) < calibration.STABLE_FROM
    return point_row(scope, "ece", bins.ece, bins=15, unstable=unstable, mce=bins.mce, equal_count=equal.ece)


def _drawn(figure: Figure, weights: Floats) -> Floats:
    """The figure of all draws, some at a time: a curve of every draw at once would not fit in memory."""
    some = max(1, CELLS_AT_ONCE // max(weights.shape[1], 1))
    return np.concatenate([figure(weights[i : i + some]) for i in range(0, len(weights), some)])


@dataclass(frozen=True)
class _Series:
    value: float
    draws: Floats


def _row(
    scope: Scope,
    name: str,
    metric: str,
    series: str,
    baseline: str | None,
    found: _Series,
    why_null: str,
    params: Mapping[str, Any],
) -> dict[str, Any]:
    row = _bare(scope, name, metric, series, baseline)
    if np.isnan(found.value):
        empty = {"value": None, "reason": why_null, "ci": None, "ci_method": None}
        return row | empty | {"params": {**scope.params, **params}}
    drawn = percentile(found.draws) if scope.draws_differ else undrawn(len(found.draws))
    interval = described(drawn, scope.n_pos_patients)
    interval["params"] = {**scope.params, **params, **interval["params"]}
    return row | {"value": float(found.value)} | interval


def _bare(scope: Scope, name: str, metric: str, series: str, baseline: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "metric": metric,
        "series": series,
        "baseline": baseline,
        "target": scope.target,
        "level": scope.level,
        "split": scope.split,
        "subgroup": dict(scope.subgroup) if scope.subgroup else None,
        "n_patients": scope.n_patients,
        "n_units": scope.n_units,
        "n_pos": scope.n_pos,
        "n_neg": scope.n_neg,
    }
