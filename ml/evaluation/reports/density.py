"""Density: agreement of an exam's class with the readers', beside prior, Otsu and histogram regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration, categories, classification
from ml.evaluation.intervals import SUBGROUP_REPLICATES, Resample, resample
from ml.evaluation.reports.asked import Asked, Report
from ml.evaluation.reports.density_baselines import baseline_answers
from ml.evaluation.reports.density_units import (
    DENSE,
    LABELS,
    TARGET,
    Exams,
    Row,
    answers,
    answers_by_image,
    exams_of,
    joined,
)
from ml.evaluation.reports.percent_density import of_exams, values
from ml.evaluation.reports.rows import Figure, Scope, ece_row, point_row, rows_of
from ml.evaluation.subgroups import LEAST, groups_of

Floats = npt.NDArray[np.float64]
WORST = 12


@dataclass(frozen=True)
class Ground:
    """The exams of a split, the baselines' probabilities (N, 4), the percent predicted, and what draws the worst."""

    exams: Exams
    others: Mapping[str, Floats]
    percent: tuple[float | None, ...]
    rows: Sequence[Row]
    per_image: Mapping[str, Floats]


def gather(asked: Asked) -> dict[str, Ground]:
    """Split to its labelled exams with what model and baselines say. Without pixels the prior stands alone."""
    others = baseline_answers(asked)
    answered, percent = answers(asked.answers), values(asked.answers, "exam_id")
    per_image = answers_by_image(asked.answers)
    found = {}
    for split in asked.splits:
        exams = exams_of(asked.manifest, answered, split)
        sides = {name: np.array([own[exam] for exam in exams.ids]).reshape(-1, 4) for name, own in others.items()}
        rows = [row for row in asked.manifest if row["split"] == split]
        found[split] = Ground(exams, sides, tuple(percent.get(exam) for exam in exams.ids), rows, per_image)
    return found


def join(folds: Sequence[Ground]) -> Ground:
    """The exams of several folds as one."""
    names = set.intersection(*(set(fold.others) for fold in folds))
    return Ground(
        exams=joined([fold.exams for fold in folds]),
        others={name: np.concatenate([fold.others[name] for fold in folds]) for name in sorted(names)},
        percent=tuple(value for fold in folds for value in fold.percent),
        rows=[row for fold in folds for row in fold.rows],
        per_image={
            row["image_id"]: fold.per_image[row["image_id"]]
            for fold in folds
            for row in fold.rows
            if row["image_id"] in fold.per_image
        },
    )


def tell(asked: Asked, split: str, ground: Ground) -> Report:
    """Rows, curves and the exams that were most wrong, of a split."""
    full = Report(curves={"roc": [], "reliability": [], "confusion": []})
    full.metrics.extend(_metrics(ground, split, asked.replicates, asked.seed))
    full.metrics.extend(_group_rows(ground.exams, ground.rows, split, asked.replicates, asked.seed))
    for kind, curve in _curves(ground.exams, split):
        full.curves[kind].append(curve)
    full.worst.extend(_worst(ground, split))
    return full


def _metrics(ground: Ground, split: str, replicates: int, seed: int) -> list[dict[str, Any]]:
    exams = ground.exams
    scope = _scope(exams, split, _draws(exams, replicates, seed))
    why = "one_class" if exams.ids else "empty"
    rows: list[dict[str, Any]] = []
    for name, figure_of in _FIGURES.items():
        against = {side: figure_of(exams, p) for side, p in ground.others.items()}
        rows += rows_of(scope, name, figure_of(exams, exams.p), against, why, within=name in _RANKED)
    for name, figure_of in _MODEL_ONLY.items():
        rows += rows_of(scope, name, figure_of(exams, exams.p), {}, why, within=name in _RANKED)
    rows.append(ece_row(scope, exams.truth, exams.p))
    if exams.ids:
        rows += _per_class(exams, scope)
    return rows + of_exams(scope, exams.truth, ground.percent)


def _per_class(exams: Exams, scope: Scope) -> list[dict[str, Any]]:
    """F1 of each class that occurs, in truth or in what was said."""
    matrix = categories.confusion(exams.truth, exams.p.argmax(axis=1), len(LABELS))
    return [
        point_row(scope, f"f1:{label}", None if np.isnan(value) else float(value), "empty")
        for label, value in zip(LABELS, categories.f1(matrix), strict=True)
    ]


def _group_rows(exams: Exams, manifest: Sequence[Row], split: str, replicates: int, seed: int) -> list[dict[str, Any]]:
    """Kappa and accuracy in each machine, age band, data set and presentation; under ten of a kind only counts."""
    first = {row["exam_id"]: row for row in reversed(manifest)}
    cells = [set(groups_of(first[exam])) for exam in exams.ids]
    rows: list[dict[str, Any]] = []
    for attribute, group in sorted(set().union(*cells)):
        keep = np.array([(attribute, group) in own for own in cells], bool)
        if attribute in ("density", "view") or keep.all():
            continue
        part = exams.only(keep)
        scope = _scope(part, split, _draws(part, min(replicates, SUBGROUP_REPLICATES), seed))
        scope = replace(scope, subgroup={attribute: group})
        for name in ("qwk", "accuracy"):
            if min(scope.n_pos, scope.n_neg) < LEAST:
                rows.append(point_row(scope, name, None, "too_few"))
            else:
                rows += rows_of(scope, name, _FIGURES[name](part, part.p), {}, "one_class")
    return rows


def _draws(exams: Exams, replicates: int, seed: int) -> Resample:
    positive: dict[str, bool] = {}
    for patient, dense in zip(exams.patients, exams.dense, strict=True):
        positive[patient] = positive.get(patient, False) or bool(dense)
    return resample(positive, replicates=replicates, seed=seed)


def _scope(exams: Exams, split: str, draws: Resample) -> Scope:
    params: dict[str, Any] = {"positive": "C+D", "classes_in_truth": [LABELS[c] for c in np.unique(exams.truth)]}
    if exams.unanswered:
        params["unanswered"] = exams.unanswered
    return Scope(
        split=split,
        target=TARGET,
        level="exam",
        weights=draws.of_units(exams.patients),
        n_patients=len(draws.patients),
        n_pos_patients=draws.n_pos,
        n_units=len(exams.ids),
        n_pos=int(exams.dense.sum()),
        n_neg=int((1 - exams.dense).sum()),
        params=params,
        folds=exams.folds,
    )


def _by_matrix(of: Any) -> Any:
    """A figure of the confusion matrix as one of weights."""

    def figure_of(exams: Exams, p: Floats) -> Figure:
        said = p.argmax(axis=1) if len(p) else np.zeros(0, np.int64)
        return lambda w: of(categories.confusion_weighted(exams.truth, said, len(LABELS), w))

    return figure_of


def _auc_dense(exams: Exams, p: Floats) -> Figure:
    return lambda w: classification.auc_weighted(exams.dense, p[:, DENSE:].sum(axis=1), w)


def _auc_ovr(exams: Exams, p: Floats) -> Figure:
    return lambda w: classification.auc_one_vs_rest_weighted(exams.truth, p, w)


def _brier(exams: Exams, p: Floats) -> Figure:
    return lambda w: calibration.brier_weighted(exams.truth, p, w) if len(p) else np.full(len(w), np.nan)


_FIGURES = {
    "qwk": _by_matrix(categories.kappa),
    "accuracy": _by_matrix(categories.accuracy),
    "macro_f1": _by_matrix(categories.macro_f1),
    "auc_dense": _auc_dense,
}
_RANKED = frozenset({"auc_dense", "auc_ovr"})
"""Figures of scores, which mean the same inside a fold only; the others are of classes and pooled."""
_MODEL_ONLY = {
    "kappa_linear": _by_matrix(lambda m: categories.kappa(m, "linear")),
    "kappa": _by_matrix(lambda m: categories.kappa(m, "none")),
    "auc_ovr": _auc_ovr,
    "balanced_accuracy": _by_matrix(categories.balanced_accuracy),
    "accuracy_within_one": _by_matrix(lambda m: categories.accuracy(m, within=1)),
    "brier": _brier,
}


def _curves(exams: Exams, split: str) -> list[tuple[str, dict[str, Any]]]:
    if not exams.ids:
        return []
    about = {"split": split, "target": TARGET}
    said = exams.p.argmax(axis=1)
    bins = calibration.reliability(exams.truth, exams.p)
    curves: list[tuple[str, dict[str, Any]]] = [
        (
            "confusion",
            {
                **about,
                "labels": list(LABELS),
                "matrix": categories.confusion(exams.truth, said, 4).astype(int).tolist(),
            },
        ),
        (
            "reliability",
            {
                **about,
                "n": bins.n.astype(int).tolist(),
                "confidence": bins.confidence.tolist(),
                "observed": bins.observed.tolist(),
            },
        ),
    ]
    for fold, own in exams.each_fold():
        if 0 < own.dense.sum() < len(own.ids):
            x, y, _ = classification.roc(own.dense, own.p[:, DENSE:].sum(axis=1))
            curves.append(("roc", {**about, **fold, "positive": "C+D", "fpr": x.tolist(), "tpr": y.tolist()}))
    return curves


def _worst(ground: Ground, split: str) -> list[dict[str, Any]]:
    """Exams whose class was furthest off, the surest first; none that were right."""
    exams, per_image = ground.exams, ground.per_image
    said = exams.p.argmax(axis=1) if exams.ids else np.zeros(0, np.int64)
    off = np.abs(said - exams.truth)
    own = exams.p[np.arange(len(exams.ids)), exams.truth]
    order = sorted(np.flatnonzero(off), key=lambda i: (-off[i], own[i], exams.ids[i]))[:WORST]
    images: dict[str, list[str]] = {}
    for row in ground.rows:
        images.setdefault(row["exam_id"], []).append(row["image_id"])
    return [
        {
            "split": split,
            "target": TARGET,
            "kind": "wrong_class",
            "exam_id": exams.ids[i],
            "image_id": min(
                sorted(images[exams.ids[i]]),
                key=lambda image: per_image[image][exams.truth[i]] if image in per_image else 1.0,
            ),
            "truth": LABELS[exams.truth[i]],
            "predicted": LABELS[said[i]],
            "probabilities": exams.p[i].tolist(),
            "what": f"density {LABELS[exams.truth[i]]} read as {LABELS[said[i]]}",
        }
        for i in order
    ]
