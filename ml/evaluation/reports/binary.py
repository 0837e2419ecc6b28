"""Yes or no of breasts, exams and patients: cancer, a finding, an asymmetry. ROC with its figures beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration, classification, ranking
from ml.evaluation.reports.asked import Asked, Report
from ml.evaluation.reports.binary_baselines import PROBABILITIES, baseline_scores
from ml.evaluation.reports.binary_groups import group_rows
from ml.evaluation.reports.binary_scope import auc_rows, scope_of
from ml.evaluation.reports.binary_units import Key, Units, joined, scores, units_of
from ml.evaluation.reports.rows import Figure, Rows, Scope, ece_row, point_row, replace_interval, rows_of

Floats = npt.NDArray[np.float64]
Ground = Mapping[str, Units]
"""Level to its units."""
RATE = 0.9
LEVELS: Mapping[str, tuple[str, ...]] = {
    "exam_classification": ("exam", "breast", "patient"),
    "asymmetry": ("exam", "patient"),
}
WORST = 12
ALARMS = 6
RULE = f"largest sensitivity at a specificity of {RATE}"


def target_of(asked: Asked, task: str) -> str:
    """What is asked of the exam: cancer, unless the run says otherwise; an asymmetry for its own task."""
    return "asymmetry" if task == "asymmetry" else asked.target or "outcome"


def gather(asked: Asked, task: str) -> dict[str, Ground]:
    """Split to its units at each level, with the threshold of validation and what the baselines say.

    Without a validation that tells both classes the threshold is the model's own, if it has one.
    """
    target = target_of(asked, task)
    rows = asked.used
    said = scores(asked.answers, rows, target)
    others = baseline_scores(asked, target, rows)
    found: dict[str, dict[str, Units]] = {split: {} for split in asked.splits}
    for level in LEVELS[task]:
        chosen = _threshold(_units(asked, rows, "val", level, target, said, others))
        if chosen is None:
            chosen = asked.thresholds.get(level, {}).get("score")
        for split in asked.splits:
            found[split][level] = _called(_units(asked, rows, split, level, target, said, others), chosen)
    return {split: _spoken_of(levels) for split, levels in found.items()}


def join(folds: Sequence[Ground]) -> Ground:
    """Several folds as one."""
    levels = [level for level in folds[0] if all(level in fold for fold in folds)]
    return {level: joined([fold[level] for fold in folds]) for level in levels}


def tell(asked: Asked, task: str, split: str, ground: Ground) -> Report:
    """Rows, curves and worst misses of a split."""
    target = target_of(asked, task)
    full = Report(curves={"roc": [], "reliability": []})
    for level, units in ground.items():
        scope = scope_of(units, split, target, asked.replicates, asked.seed)
        full.metrics.extend(_metrics(units, scope))
        for kind, curve in _curves(units, split, target):
            full.curves[kind].append(curve)
        if level == "exam":
            full.metrics.extend(group_rows(units, split, target, asked.replicates, asked.seed))
            full.worst.extend(_worst(units, split, target))
        if units.threshold is not None:
            full.thresholds[level] = {"score": units.threshold, "rule": RULE, "split": "val"}
    return full


def _units(
    asked: Asked,
    rows: Sequence[dict[str, Any]],
    split: str,
    level: str,
    target: str,
    said: Mapping[str, Mapping[Key, float]],
    others: Mapping[str, Mapping[str, Mapping[Key, float]]],
) -> Units:
    own = [row for row in rows if row["split"] == split]
    return units_of(own, level, target, asked.findings, said, others)


def _spoken_of(levels: Mapping[str, Units]) -> Ground:
    """The levels that the model answers on; a model of exams says nothing of breasts. The exam is always told."""
    return {level: units for level, units in levels.items() if level == "exam" or units.ids or not levels["exam"].ids}


def _threshold(units: Units) -> float | None:
    if len(np.unique(units.y)) < 2:
        return None
    value = classification.sensitivity_at(units.y, units.p, RATE)[1]
    return value if np.isfinite(value) else None


def _called(units: Units, threshold: float | None) -> Units:
    return units if threshold is None else replace(units, threshold=threshold, called=units.p >= threshold)


def _metrics(units: Units, scope: Scope) -> Rows:
    why = "one_class" if units.ids else "empty"
    rows = auc_rows(units, scope, units.others)
    for name, of in _RANKED.items():
        against = {side: _ranked(units, s, of) for side, s in units.others.items()}
        rows += rows_of(scope, name, _ranked(units, units.p, of), against, why, within=True)
    _add_thresholds(rows, units)
    probabilities = {side: s for side, s in units.others.items() if side in PROBABILITIES}
    rows += rows_of(scope, "brier", _brier(units, units.p), {k: _brier(units, s) for k, s in probabilities.items()},
                    "empty", lower_is_better=True)  # fmt: skip
    return [*rows, ece_row(scope, units.y, units.p), *_decision(units, scope)]


_RANKED: Mapping[str, Callable[[ranking.Steps], Floats]] = {
    "sens@spec0.9": lambda curve: ranking.sensitivity_at(curve, RATE),
    "spec@sens0.9": lambda curve: ranking.specificity_at(curve, RATE),
    "pauc@0.1": lambda curve: ranking.partial_auc(curve, 0.1),
    "ap": ranking.average_precision,
}


def _ranked(units: Units, s: Floats, of: Callable[[ranking.Steps], Floats]) -> Figure:
    return lambda w: of(ranking.steps(units.y, s, w))


def _add_thresholds(rows: Rows, units: Units) -> None:
    """The score at the operating point, and Wilson's interval where every patient has one unit."""
    points = {"sens@spec0.9": (classification.sensitivity_at, 1), "spec@sens0.9": (classification.specificity_at, 0)}
    for row in rows:
        if row["series"] != "model" or row["metric"] not in points or row["value"] is None or units.folds is not None:
            continue
        of, side = points[row["metric"]]
        value, threshold = of(units.y, units.p, RATE)
        row["params"]["threshold"] = threshold if np.isfinite(threshold) else None
        if units.one_a_patient:
            n = int((units.y == side).sum())
            replace_interval(row, classification.wilson(round(value * n), n), "wilson")


def _brier(units: Units, p: Floats) -> Figure:
    return lambda w: calibration.brier_weighted(units.y, p, w) if len(p) else np.full(len(w), np.nan)


def _decision(units: Units, scope: Scope) -> Rows:
    """What calling every unit at or above validation's threshold would do. Pooled over folds, each by its own."""
    if units.called is None or not units.ids:
        why = "empty" if not units.ids else "no_threshold"
        return [point_row(scope, name, None, why) for name in _SHARES]
    about: dict[str, Any] = {"chosen_on": "val", "rule": RULE, "threshold": units.threshold}
    called, y = units.called.astype(np.float64), units.y.astype(np.float64)
    rows: Rows = []
    for name, share in _SHARES.items():
        of, among = share(called, y)
        k, n = int((of * among).sum()), int(among.sum())
        rows += rows_of(scope, name, _share(of, among), {}, "one_class", **about, k=k, of=n)
        if units.one_a_patient and rows[-1]["value"] is not None:
            replace_interval(rows[-1], classification.wilson(k, n), "wilson")
    return rows


_SHARES: Mapping[str, Callable[[Floats, Floats], tuple[Floats, Floats]]] = {
    "sensitivity": lambda called, y: (called, y),
    "specificity": lambda called, y: (1 - called, 1 - y),
    "ppv": lambda called, y: (y, called),
    "npv": lambda called, y: (1 - y, 1 - called),
    "abnormal_rate": lambda called, y: (called, np.ones_like(y)),
}
"""Of whom the share is counted, and among whom."""


def _share(of: Floats, among: Floats) -> Figure:
    def figure(w: Floats) -> Floats:
        total = w @ among
        return np.divide(w @ (of * among), total, out=np.full(len(w), np.nan), where=total > 0)

    return figure


def _curves(units: Units, split: str, target: str) -> list[tuple[str, dict[str, Any]]]:
    """ROC of the model and its baselines (in a merger of each fold), and the reliability of the model."""
    about = {"split": split, "target": target, "level": units.level}
    curves: list[tuple[str, dict[str, Any]]] = []
    for fold, own in units.each_fold():
        if len(np.unique(own.y)) < 2:
            continue
        for series, s in {"model": own.p, **{f"baseline:{k}": v for k, v in own.others.items()}}.items():
            x, y, _ = classification.roc(own.y, s)
            curves.append(("roc", {**about, **fold, "series": series, "fpr": x.tolist(), "tpr": y.tolist()}))
    if units.ids:
        bins = calibration.reliability(units.y, units.p)
        lists = {"n": bins.n.astype(int).tolist(), "confidence": bins.confidence.tolist()}
        curves.append(("reliability", {**about, **lists, "observed": bins.observed.tolist()}))
    return curves


def _worst(units: Units, split: str, target: str) -> list[dict[str, Any]]:
    """Positive exams with the lowest scores, then negative ones with the highest; with a threshold only its errors."""
    wrong = np.ones(len(units.ids), bool) if units.called is None else units.called != (units.y == 1)
    missed = sorted(np.flatnonzero(wrong & (units.y == 1)), key=lambda i: (units.p[i], units.ids[i]))[:WORST]
    alarms = sorted(np.flatnonzero(wrong & (units.y == 0)), key=lambda i: (-units.p[i], units.ids[i]))[:ALARMS]
    told = [(i, "wrong_class", f"{_NAMES[target]} given a low score") for i in missed]
    told += [(i, "false_alarm", f"{_NAMES[target]} seen where there is none") for i in alarms]
    return [
        {"split": split, "target": target, "kind": kind, "exam_id": units.ids[i][1],
         "image_id": units.parts[i][0]["image_id"], "score": float(units.p[i]), "what": what}
        for i, kind, what in told
    ]  # fmt: skip


_NAMES = {"outcome": "cancer", "presence": "a finding", "pathology": "a malignant finding", "asymmetry": "asymmetry"}
