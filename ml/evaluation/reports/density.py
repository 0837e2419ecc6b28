"""Density: agreement of an exam's class with the readers', beside the prior and the histogram regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration, categories, classification
from ml.evaluation.baselines import density as baselines
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.intervals import resample
from ml.evaluation.reports.rows import Figure, Scope, point_row, rows_of
from ml.evaluation.undefined import NotAScore

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]
LABELS = ("A", "B", "C", "D")
DENSE = 2
"""C and D are dense."""
TARGET = "density"
WORST = 12


@dataclass(frozen=True)
class Exams:
    """Labelled exams of a split that the model answered on: truth (N,), probabilities (N, 4), by exam id."""

    ids: tuple[str, ...]
    patients: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    p: Floats
    unanswered: int

    @property
    def dense(self) -> npt.NDArray[np.int64]:
        return (self.truth >= DENSE).astype(np.int64)


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
    answered = _answers(predictions)
    full = DensityReport([], {"roc": [], "reliability": [], "confusion": []}, [])
    for split in splits:
        exams = _exams(manifest, answered, split)
        full.metrics.extend(_metrics(exams, others, split, replicates, seed))
        for kind, curve in _curves(exams, split):
            full.curves[kind].append(curve)
        full.worst.extend(_worst(exams, predictions, manifest, split))
    return full


def _metrics(
    exams: Exams, others: Mapping[str, Mapping[str, Floats]], split: str, replicates: int, seed: int
) -> list[dict[str, Any]]:
    positive: dict[str, bool] = {}
    for patient, dense in zip(exams.patients, exams.dense, strict=True):
        positive[patient] = positive.get(patient, False) or bool(dense)
    draws = resample(positive, replicates=replicates, seed=seed)
    scope = Scope(
        split=split,
        target=TARGET,
        level="exam",
        weights=draws.of_units(exams.patients),
        n_patients=len(positive),
        n_pos_patients=draws.n_pos,
        n_units=len(exams.ids),
        n_pos=int(exams.dense.sum()),
        n_neg=int((1 - exams.dense).sum()),
        params={"positive": "C+D", "classes_in_truth": [LABELS[c] for c in np.unique(exams.truth)]}
        | ({"unanswered": exams.unanswered} if exams.unanswered else {}),
    )
    sides = {name: np.array([own[exam] for exam in exams.ids]).reshape(-1, 4) for name, own in others.items()}
    why = "one_class" if exams.ids else "empty"
    rows: list[dict[str, Any]] = []
    for name, figure_of in _FIGURES.items():
        against = {side: figure_of(exams, p) for side, p in sides.items()}
        rows += rows_of(scope, name, figure_of(exams, exams.p), against, why)
    for name, figure_of in _MODEL_ONLY.items():
        rows += rows_of(scope, name, figure_of(exams, exams.p), {}, why)
    if exams.ids:
        unstable = {"unstable": True} if len(exams.ids) < calibration.STABLE_FROM else {}
        bins = calibration.reliability(exams.truth, exams.p)
        rows.append(point_row(scope, "ece", bins.ece, bins=15, **unstable))
    return rows


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
    per_image = _by_image(predictions)
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


def _exams(manifest: Sequence[Row], answered: Mapping[str, Floats], split: str) -> Exams:
    labelled = _labelled(manifest, split)
    ids = tuple(exam for exam in sorted(labelled) if exam in answered)
    return Exams(
        ids=ids,
        patients=tuple(labelled[exam][0] for exam in ids),
        truth=np.array([labelled[exam][1] for exam in ids], np.int64),
        p=np.array([answered[exam] for exam in ids], np.float64).reshape(-1, len(LABELS)),
        unanswered=len(labelled) - len(ids),
    )


def _labelled(manifest: Sequence[Row], split: str) -> dict[str, tuple[str, int]]:
    """Exam to (patient, class) for the exams of a split whose readers agree on a class."""
    return {
        row["exam_id"]: (row["patient_id"], LABELS.index(row["density"]["label"]))
        for row in manifest
        if row["split"] == split and (row.get("density") or {}).get("label")
    }


def _answers(predictions: Sequence[Row]) -> dict[str, Floats]:
    """Exam to its probabilities: as predicted for the exam, else the mean over its images."""
    sums: dict[tuple[str, str], dict[str, Floats]] = {}
    for row in _probabilities(predictions):
        unit = row.get("image_id") or ""
        p = sums.setdefault((row["level"], row["exam_id"]), {}).setdefault(unit, np.zeros(len(LABELS)))
        p[row["class_index"]] = row["prob"]
    means = {(level, exam): np.mean(list(own.values()), axis=0) for (level, exam), own in sums.items()}
    answers = {exam: p for (level, exam), p in means.items() if level != "exam"}
    answers |= {exam: p for (level, exam), p in means.items() if level == "exam"}
    if not all(np.isfinite(p).all() for p in answers.values()):
        raise NotAScore("a density probability is NaN or infinite")
    return answers


def _by_image(predictions: Sequence[Row]) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for row in _probabilities(predictions):
        if row["level"] == "image":
            found.setdefault(row["image_id"], np.zeros(len(LABELS)))[row["class_index"]] = row["prob"]
    return found


def _probabilities(predictions: Sequence[Row]) -> list[Row]:
    """Density rows of the aggregate model; single passes and members of an ensemble are left out."""
    return [
        row
        for row in predictions
        if row.get("target") == TARGET and row.get("kind") == "prob" and row.get("member") in (None, -1)
    ]


def _baselines(
    manifest: Sequence[dict[str, Any]], splits: Sequence[str], seed: int, pixels: Loader | None
) -> dict[str, dict[str, Floats]]:
    """Baseline to exam to probabilities, for every labelled exam of `splits`."""
    train = _labelled(manifest, "train")
    if not train:
        return {}
    asked = [exam for split in splits for exam in _labelled(manifest, split)]
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
