"""What the baselines say of density, learned on the training exams: prior, Otsu's share, histogram regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines import density as baselines
from ml.evaluation.baselines import regression
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.reports.asked import Asked
from ml.evaluation.reports.density_units import LABELS, labelled

Floats = npt.NDArray[np.float64]


def baseline_answers(asked: Asked) -> dict[str, dict[str, Floats]]:
    """Baseline to exam to probabilities (4,), for every labelled exam of the splits asked."""
    train = labelled(asked.manifest, "train")
    if not train:
        return {}
    exams = [exam for split in asked.splits for exam in labelled(asked.manifest, split)]
    prior = baselines.prior([label for _, label in train.values()])
    found = {"prior": dict.fromkeys(exams, prior)}
    if asked.pixels is not None and len({label for _, label in train.values()}) > 1:
        found |= _from_pixels(asked.manifest, train, set(exams), asked.seed, asked.pixels)
    return found


def _from_pixels(
    manifest: Sequence[dict[str, Any]], train: Mapping[str, tuple[str, int]], exams: set[str], seed: int, pixels: Loader
) -> dict[str, dict[str, Floats]]:
    used = [row for row in manifest if row["exam_id"] in train or row["exam_id"] in exams]
    x = np.stack([baselines.features(pixels(row)) for row in used])
    return {
        "otsu_percent_density": _otsu(x, used, train, exams),
        "histogram_regression": _regression(x, used, train, exams, seed),
    }


def _otsu(
    x: Floats, used: Sequence[dict[str, Any]], train: Mapping[str, tuple[str, int]], exams: set[str]
) -> dict[str, Floats]:
    share = baselines.by_exam(x[:, [baselines.BINS]], [row["exam_id"] for row in used])
    learned = sorted(train)
    at = baselines.cuts([float(share[exam][0]) for exam in learned], [train[exam][1] for exam in learned])
    return {exam: baselines.by_cuts(float(share[exam][0]), at) for exam in sorted(exams)}


def _regression(
    x: Floats, used: Sequence[dict[str, Any]], train: Mapping[str, tuple[str, int]], exams: set[str], seed: int
) -> dict[str, Floats]:
    in_train = np.array([row["exam_id"] in train for row in used])
    learned = [row for row in used if row["exam_id"] in train]
    y = np.array([train[row["exam_id"]][1] for row in learned], np.int64)
    model = regression.fit(x[in_train], y, [row["patient_id"] for row in learned], seed)
    p = regression.predict(model, x[[row["exam_id"] in exams for row in used]], len(LABELS))
    return dict(baselines.by_exam(p, [row["exam_id"] for row in used if row["exam_id"] in exams]))
