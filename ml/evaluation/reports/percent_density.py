"""Percent density: against the tissue that readers outlined, and against the class that they gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ml.evaluation.reports.asked import Row
from ml.evaluation.reports.rows import Figure, Rows, Scope, mean_figure, rows_of
from ml.evaluation.undefined import NotAScore

Floats = npt.NDArray[np.float64]
TARGET = "percent_density"


def values(predictions: Sequence[Row], key: str) -> dict[str, float]:
    """Exam (`exam_id`) or image (`image_id`) to the predicted percent; an exam is the mean of its images.

    Raises NotAScore.
    """
    level = "exam" if key == "exam_id" else "image"
    own: dict[str, list[float]] = {}
    whole: dict[str, float] = {}
    for row in predictions:
        if row.get("kind") != "scalar" or row.get("target") != TARGET:
            continue
        if not np.isfinite(row["value"]):
            raise NotAScore("a percent density is NaN or infinite")
        if row["level"] == "image":
            own.setdefault(row[key], []).append(float(row["value"]))
        elif row["level"] == level:
            whole[row[key]] = float(row["value"])
    return {unit: float(np.mean(said)) for unit, said in own.items()} | whole


def error_rows(scope: Scope, truth: Floats, model: Floats, others: Mapping[str, Floats]) -> Rows:
    """Mean absolute error, bias (predicted minus true) and Spearman's correlation, in points of percent."""
    against = {name: mean_figure(np.abs(said - truth)) for name, said in others.items()}
    rows = rows_of(scope, "pd_mae", mean_figure(np.abs(model - truth)), against, "empty", lower_is_better=True)
    rows += rows_of(scope, "pd_bias", mean_figure(model - truth), {}, "empty")
    return rows + rank_rows(scope, truth, model, others)


def rank_rows(scope: Scope, truth: npt.ArrayLike, model: Floats, others: Mapping[str, Floats]) -> Rows:
    """Spearman's correlation with the truth, which may be a class."""
    against = {name: spearman(truth, own) for name, own in others.items()}
    return rows_of(scope, "pd_spearman", spearman(truth, model), against, "too_few")


def spearman(truth: npt.ArrayLike, said: npt.ArrayLike) -> Figure:
    """Correlation of ranks, ties at their mean. A draw weighs the ranks of the whole set, which keeps it fast."""
    if not len(np.asarray(truth)):
        return lambda w: np.full(len(w), np.nan)
    a, b = rankdata(truth), rankdata(said)

    def figure(w: Floats) -> Floats:
        total = w.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            ma, mb = w @ a / total, w @ b / total
            va, vb = w @ a**2 / total - ma**2, w @ b**2 / total - mb**2
            found = (w @ (a * b) / total - ma * mb) / np.sqrt(np.maximum(va * vb, 0.0))
        return np.where((va > 1e-9) & (vb > 1e-9), np.clip(found, -1.0, 1.0), np.nan)

    return figure


def of_exams(scope: Scope, truth: npt.NDArray[np.int64], said: Sequence[float | None]) -> Rows:
    """How the percent goes with the class of the exam, on those exams that have both."""
    known = np.array([value is not None for value in said], bool)
    if not known.any():
        return []
    percent = np.array([value for value in said if value is not None], np.float64)
    part = replace(
        scope,
        target=TARGET,
        weights=scope.weights[:, known],
        n_units=int(known.sum()),
        folds=None if scope.folds is None else scope.folds[known],
        params={"beside": "density class"},
    )
    return rank_rows(part, truth[known], percent, {})
