"""Density's unit is the exam: what its readers said, and what the model answers on all its images together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.undefined import NotAScore

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]
LABELS = ("A", "B", "C", "D")
DENSE = 2
"""C and D are dense."""
TARGET = "density"


@dataclass(frozen=True)
class Exams:
    """Labelled exams of a split that the model answered on: truth (N,), probabilities (N, 4), by exam id."""

    ids: tuple[str, ...]
    patients: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    p: Floats
    unanswered: int
    folds: npt.NDArray[np.int64] | None = None

    @property
    def dense(self) -> npt.NDArray[np.int64]:
        return (self.truth >= DENSE).astype(np.int64)

    def only(self, keep: npt.NDArray[np.bool_]) -> Exams:
        """The exams where `keep` (N,) is True."""
        return Exams(
            ids=tuple(exam for exam, kept in zip(self.ids, keep, strict=True) if kept),
            patients=tuple(patient for patient, kept in zip(self.patients, keep, strict=True) if kept),
            truth=self.truth[keep],
            p=self.p[keep],
            unanswered=0,
            folds=None if self.folds is None else self.folds[keep],
        )

    def each_fold(self) -> list[tuple[dict[str, int], Exams]]:
        """The folds of a merger with their number, else all exams at once."""
        if self.folds is None:
            return [({}, self)]
        return [({"fold": int(k)}, self.only(self.folds == k)) for k in np.unique(self.folds)]


def joined(folds: Sequence[Exams]) -> Exams:
    """The exams of several folds as one."""
    return Exams(
        ids=tuple(exam for fold in folds for exam in fold.ids),
        patients=tuple(patient for fold in folds for patient in fold.patients),
        truth=np.concatenate([fold.truth for fold in folds]),
        p=np.concatenate([fold.p for fold in folds]),
        unanswered=sum(fold.unanswered for fold in folds),
        folds=np.repeat(np.arange(len(folds)), [len(fold.ids) for fold in folds]),
    )


def exams_of(manifest: Sequence[Row], answered: Mapping[str, Floats], split: str) -> Exams:
    known = labelled(manifest, split)
    ids = tuple(exam for exam in sorted(known) if exam in answered)
    return Exams(
        ids=ids,
        patients=tuple(known[exam][0] for exam in ids),
        truth=np.array([known[exam][1] for exam in ids], np.int64),
        p=np.array([answered[exam] for exam in ids], np.float64).reshape(-1, len(LABELS)),
        unanswered=len(known) - len(ids),
    )


def labelled(manifest: Sequence[Row], split: str) -> dict[str, tuple[str, int]]:
    """Exam to (patient, class) for the exams of a split whose readers agree on a class."""
    return {
        row["exam_id"]: (row["patient_id"], LABELS.index(row["density"]["label"]))
        for row in manifest
        if row["split"] == split and (row.get("density") or {}).get("label")
    }


def answers(predictions: Sequence[Row]) -> dict[str, Floats]:
    """Exam to its probabilities: as predicted for the exam, else the mean over its images."""
    sums: dict[tuple[str, str], dict[str, Floats]] = {}
    for row in _probabilities(predictions):
        unit = row.get("image_id") or ""
        p = sums.setdefault((row["level"], row["exam_id"]), {}).setdefault(unit, np.zeros(len(LABELS)))
        p[row["class_index"]] = row["prob"]
    means = {(level, exam): np.mean(list(own.values()), axis=0) for (level, exam), own in sums.items()}
    found = {exam: p for (level, exam), p in means.items() if level != "exam"}
    found |= {exam: p for (level, exam), p in means.items() if level == "exam"}
    if not all(np.isfinite(p).all() for p in found.values()):
        raise NotAScore("a density probability is NaN or infinite")
    return found


def answers_by_image(predictions: Sequence[Row]) -> dict[str, Floats]:
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
