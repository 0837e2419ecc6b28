"""Density: agreement of an exam's class with the readers', beside the prior and the histogram regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration, categories, classification
from ml.evaluation.baselines import density as baselines
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.intervals import SUBGROUP_REPLICATES, Resample, resample
from ml.evaluation.reports.density_units import (
    DENSE,
    LABELS,
    TARGET,
    Exams,
    Row,
    answers,
    answers_by_image,
    exams_of,
    exams_only,
    labelled,
)
from ml.evaluation.reports.rows import Figure, Scope, point_row, rows_of
from ml.evaluation.subgroups import LEAST, groups_of

Floats = npt.NDArray[np.float64]
WORST = 12


@dataclass(frozen=True)
class DensityReport:
    """Rows of metrics.json, curves by kind, and the exams that were most wrong."""

    metrics: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    worst: list[dict[str, Any]]


def report(
    predictions: Sequence[Row],
    manifest: Sequence[dict[str, Any]],
    splits: Sequence[str],
    *,
    replicates: int,
    seed: int,
    pixels: Loader | None,
) -> DensityReport:
    """Everything about density on `splits`. Without `pixels` only the prior stands beside the model."""
    others = _baselines(manifest, splits, seed, pixels)
    answered = answers(predictions)
    full = DensityReport([], {"roc": [], "reliability": [], "confusion": []}, [])
    for split in splits:
        exams = exams_of(manifest, answered, split)
        full.metrics.extend(_metrics(exams, others, split, replicates, seed))
        full.metrics.extend(_group_rows(exams, manifest, split, replicates, seed))
        for kind, curve in _curves(exams, split):
            full.curves[kind].append(curve)
        full.worst.extend(_worst(exams, predictions, manifest, split))
    return full


def _metrics(
    exams: Exams, others: Mapping[str, Mapping[str, Floats]], split: str, replicates: int, seed: int
) -> list[dict[str, Any]]:
    scope = _scope(exams, split, _draws(exams, replicates, seed))
    sides = {name: np.array([own[exam] for exam in exams.ids]).reshape(-1, 4) for name, own in others.items()}
    why = "one_class" if exams.ids else "empty"
    rows: list[dict[str, Any]] = []
    for name, figure_of in _FIGURES.items():
        against = {side: figure_of(exams, p) for side, p in sides.items()}
        rows += rows_of(scope, name, figure_of(exams, exams.p), against, why)
    for name, figure_of in _MODEL_ONLY.items():
        rows += rows_of(scope, name, figure_of(exams, exams.p), {}, why)
    if exams.ids:
        bins = calibration.reliability(exams.truth, exams.p)
        unstable = len(exams.ids) < calibration.STABLE_FROM
        rows.append(point_row(scope, "ece", bins.ece, bins=15, unstable=unstable))
    return rows


def _group_rows(exams: Exams, manifest: Sequence[Row], split: str, replicates: int, seed: int) -> list[dict[str, Any]]:
    """Kappa and accuracy in each machine, age band, data set and presentation; under ten of a kind only counts."""
    first = {row["exam_id"]: row for row in reversed(manifest)}
    cells = [set(groups_of(first[exam])) for exam in exams.ids]
    rows: list[dict[str, Any]] = []
    for attribute, group in sorted(set().union(*cells)):
        keep = np.array([(attribute, group) in own for own in cells], bool)
        if attribute in ("density", "view") or keep.all():
            continue
        part = exams_only(exams, keep)
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
    )


def _by_matrix(of: Any) -> Any:
    """A figure of the confusion matrix as one of weights."""

    def figure_of(exams: Exams, p: Floats) -> Figure:
        said = p.argmax(axis=1) if len(p) else np.zeros(0, np.int64)
        return lambda w: of(categories.confusion_weighted(exams.truth, said, len(LABELS), w))

    return figure_of


def _auc_dense(exams: Exams, p: Floats) -> Figure:
    return lambda w: classification.auc_weighted(exams.dense, p[:, DENSE:].sum(axis=1), w)


def _brier(exams: Exams, p: Floats) -> Figure:
    return lambda w: calibration.brier_weighted(exams.truth, p, w) if len(p) else np.full(len(w), np.nan)


_FIGURES = {
    "qwk": _by_matrix(categories.kappa),
    "accuracy": _by_matrix(categories.accuracy),
    "macro_f1": _by_matrix(categories.macro_f1),
    "auc_dense": _auc_dense,
}
_MODEL_ONLY = {
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
    if 0 < exams.dense.sum() < len(exams.ids):
        x, y, _ = classification.roc(exams.dense, exams.p[:, DENSE:].sum(axis=1))
        curves.append(("roc", {**about, "positive": "C+D", "fpr": x.tolist(), "tpr": y.tolist()}))
    return curves


def _worst(exams: Exams, predictions: Sequence[Row], manifest: Sequence[Row], split: str) -> list[dict[str, Any]]:
    """Exams whose class was furthest off, the surest first; none that were right."""
    said = exams.p.argmax(axis=1) if exams.ids else np.zeros(0, np.int64)
    off = np.abs(said - exams.truth)
    own = exams.p[np.arange(len(exams.ids)), exams.truth]
    order = sorted(np.flatnonzero(off), key=lambda i: (-off[i], own[i], exams.ids[i]))[:WORST]
    images: dict[str, list[str]] = {}
    for row in manifest:
        images.setdefault(row["exam_id"], []).append(row["image_id"])
    per_image = answers_by_image(predictions)
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


def _baselines(
    manifest: Sequence[dict[str, Any]], splits: Sequence[str], seed: int, pixels: Loader | None
) -> dict[str, dict[str, Floats]]:
    """Baseline to exam to probabilities, for every labelled exam of `splits`."""
    train = labelled(manifest, "train")
    if not train:
        return {}
    asked = [exam for split in splits for exam in labelled(manifest, split)]
    prior = baselines.prior([label for _, label in train.values()])
    found = {"prior": dict.fromkeys(asked, prior)}
    if pixels is not None and len({label for _, label in train.values()}) > 1:
        found["histogram_regression"] = _regression(manifest, train, set(asked), seed, pixels)
    return found


def _regression(
    manifest: Sequence[dict[str, Any]], train: Mapping[str, tuple[str, int]], asked: set[str], seed: int, pixels: Loader
) -> dict[str, Floats]:
    used = [row for row in manifest if row["exam_id"] in train or row["exam_id"] in asked]
    x = np.stack([baselines.features(pixels(row)) for row in used])
    in_train = np.array([row["exam_id"] in train for row in used])
    learned = [row for row in used if row["exam_id"] in train]
    model = baselines.fit(
        x[in_train],
        np.array([train[row["exam_id"]][1] for row in learned], np.int64),
        [row["patient_id"] for row in learned],
        seed,
    )
    in_asked = np.array([row["exam_id"] in asked for row in used])
    p = baselines.predict(model, x[in_asked])
    return dict(baselines.by_exam(p, [row["exam_id"] for row in used if row["exam_id"] in asked]))
