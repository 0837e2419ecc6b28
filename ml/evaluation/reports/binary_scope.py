"""The rows that all reports of yes or no share: who is drawn, and the AUC with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ml.evaluation import classification
from ml.evaluation.intervals import Resample, Seed, resample
from ml.evaluation.reports.binary_units import Units
from ml.evaluation.reports.rows import Figure, Rows, Scope, replace_interval, rows_of
from ml.evaluation.undefined import Undefined

Floats = npt.NDArray[np.float64]


def scope_of(units: Units, split: str, target: str, replicates: int, seed: Seed) -> Scope:
    """Draws of the patients of these units."""
    draws = _draws(units, replicates, seed)
    params = {name: n for name, n in (("unanswered", units.unanswered), ("truth_unknown", units.unknown)) if n}
    return Scope(
        split=split,
        target=target,
        level=units.level,
        weights=draws.of_units(units.patients),
        n_patients=len(draws.patients),
        n_pos_patients=draws.n_pos,
        n_units=len(units.ids),
        n_pos=int(units.y.sum()),
        n_neg=int((1 - units.y).sum()),
        params=params,
        folds=units.folds,
    )


def auc_rows(units: Units, scope: Scope, baselines: Mapping[str, Floats]) -> Rows:
    """AUC; its interval by DeLong where every patient has one unit, else by the patients' draws."""

    def figure(s: Floats) -> Figure:
        return lambda w: classification.auc_weighted(units.y, s, w)

    why = "one_class" if units.ids else "empty"
    rows = rows_of(scope, "auc", figure(units.p), {k: figure(s) for k, s in baselines.items()}, why, within=True)
    if not units.one_a_patient or units.folds is not None:
        return rows
    for row in rows:
        if row["value"] is None or row["series"] == "difference":
            continue
        found = classification.delong(units.y, baselines[row["baseline"]] if row["baseline"] else units.p)
        try:
            replace_interval(row, classification.delong_interval(found), "delong_logit")
        except Undefined as undefined:
            replace_interval(row, None, "delong_logit", undefined.reason)
    return rows


def _draws(units: Units, replicates: int, seed: Seed) -> Resample:
    positive: dict[str, bool] = {}
    for patient, y in zip(units.patients, units.y, strict=True):
        positive[patient] = positive.get(patient, False) or bool(y)
    return resample(positive, replicates=replicates, seed=seed)
