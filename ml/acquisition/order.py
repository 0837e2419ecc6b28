"""The order in which unread exams are served: the most informative first, with the reason beside each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.acquisition.keyed import place

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "mass": 1.0,
    "calcification": 1.0,
    "architectural_distortion": 1.5,
    "asymmetry": 0.75,
    "density": 1.0,
}
Row = tuple[str, float | None, dict[str, Any]]


def order(
    parts_by_exam: Mapping[str, Mapping[str, float | None]],
    weights: Mapping[str, float] | None = None,
    seed: int | str = 0,
) -> list[Row]:
    """Exams, first to be read first: `(exam, score, reason)`; score in (0, 1], or None where nothing is known.

    Each part is rank-normalised over the pool, because raw uncertainties of tasks with different prevalence cannot be
    compared; an exam's score is the weighted mean of the parts that it has. Equal scores, and exams without a score
    (a cold start; numbers that are None, NaN or infinite), stand in keyed order, those without a score after those
    with one, and their reason says so. An empty pool gives an empty order.

    Raises ValueError for a weight that is negative or no number.
    """
    exams = list(parts_by_exam)
    used = _weights(parts_by_exam, weights)
    ranks = {part: rank_normalised([parts_by_exam[exam].get(part) for exam in exams]) for part in used}
    rows = [_row(exam, parts_by_exam[exam], i, used, ranks) for i, exam in enumerate(exams)]
    # Rounded: two sums of the same ranks in another order must tie.
    return sorted(rows, key=lambda row: (-round(row[1], 12) if row[1] is not None else 0.5, place(seed, row[0])))


def rank_normalised(values: Sequence[float | None] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average rank over the number of finite values, in (0, 1]; what is None, NaN or infinite becomes NaN."""
    from scipy.stats import rankdata  # here, for every web server and worker would wait a second for it at its start

    numbers = np.array([np.nan if value is None else value for value in values], np.float64)
    finite = np.isfinite(numbers)
    ranks = np.full(len(numbers), np.nan)
    if finite.any():
        ranks[finite] = rankdata(numbers[finite]) / finite.sum()
    return ranks


def _weights(
    parts_by_exam: Mapping[str, Mapping[str, float | None]], weights: Mapping[str, float] | None
) -> dict[str, float]:
    given = {**DEFAULT_WEIGHTS, **(weights or {})}
    bad = sorted(part for part, weight in given.items() if not math.isfinite(weight) or weight < 0)
    if bad:
        raise ValueError(f"Weights must be numbers of at least 0: {', '.join(bad)}")
    present = sorted({part for parts in parts_by_exam.values() for part in parts})
    return {part: given.get(part, 1.0) for part in present if given.get(part, 1.0) > 0}


def _row(
    exam: str,
    parts: Mapping[str, float | None],
    i: int,
    weights: Mapping[str, float],
    ranks: Mapping[str, npt.NDArray[np.float64]],
) -> Row:
    scored = {part: float(ranks[part][i]) for part in weights if np.isfinite(ranks[part][i])}
    total = sum(weights[part] for part in scored)
    score = sum(weights[part] * rank for part, rank in scored.items()) / total if scored else None
    reason: dict[str, Any] = {
        "why": "uncertainty" if scored else "unscored",
        "parts": {part: {"value": parts[part], "rank": rank, "weight": weights[part]} for part, rank in scored.items()},
    }
    missing = sorted(part for part in parts if part in weights and part not in scored)
    if missing:
        reason["unscored"] = missing
    return exam, score, reason
