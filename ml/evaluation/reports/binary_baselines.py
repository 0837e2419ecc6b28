"""What the baselines say of breasts and exams, learned on the training rows of the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.evaluation.baselines import breasts, regression, texture
from ml.evaluation.baselines.pixels import Loader, mm_per_pixel
from ml.evaluation.reports.asked import Asked
from ml.evaluation.reports.binary_units import Key, key_of, truths

Row = dict[str, Any]
Said = dict[str, dict[Key, float]]
PROBABILITIES = ("prior", "breast_regression")
"""Those whose scores are probabilities, so that a Brier score of theirs means something."""


def baseline_scores(asked: Asked, target: str, rows: Sequence[Row]) -> dict[str, Said]:
    """Baseline to level to unit to score. Without pixels only the prior stands beside the model."""
    train = [row for row in rows if row["split"] == "train"]
    used = [row for row in rows if row["split"] in ("val", *asked.splits)]
    found = {"prior": _prior(train, used, target, asked.findings)}
    if asked.pixels is None:
        return found
    found["brightest_spot"] = {
        "image": {key_of(row, "image"): breasts.brightest_spot(*_shown(asked.pixels, row)) for row in used}
    }
    known = truths(train, target, asked.findings, "breast")
    learned = [row for row in train if key_of(row, "breast") in known]
    if len({known[key_of(row, "breast")] for row in learned}) > 1:
        found["breast_regression"] = {"image": _regression(learned, known, used, asked.pixels, asked.seed)}
    if target == "asymmetry":
        pairs = _left_right(used, asked.pixels)
        for place, name in enumerate(("left_right_mean", "left_right_area")):
            found[name] = {"exam": {exam: values[place] for exam, values in pairs.items()}}
    return found


def _prior(train: Sequence[Row], used: Sequence[Row], target: str, findings: Sequence[str]) -> Said:
    """The share of positives among the training units of each level; a half where nothing is known."""
    said: Said = {}
    for level in ("breast", "exam", "patient"):
        known = list(truths(train, target, findings, level).values())
        share = float(np.mean(known)) if known else 0.5
        said[level] = {key_of(row, level): share for row in used}
    return said


def _regression(
    train: Sequence[Row], known: Mapping[Key, int], used: Sequence[Row], pixels: Loader, seed: int
) -> dict[Key, float]:
    def features(rows: Sequence[Row]) -> Any:
        return np.array([texture.features(image.x, image.mask) for image in map(pixels, rows)]).reshape(len(rows), -1)

    y = np.array([known[key_of(row, "breast")] for row in train], np.int64)
    model = regression.fit(features(train), y, [row["patient_id"] for row in train], seed)
    if not used:
        return {}
    p = regression.predict(model, features(used), 2)[:, 1]
    return {key_of(row, "image"): float(value) for row, value in zip(used, p, strict=True)}


def _left_right(used: Sequence[Row], pixels: Loader) -> dict[Key, tuple[float, float]]:
    """Exam to the largest difference over its views that have both sides; the first image by id of each."""
    pairs: dict[Key, dict[str, dict[str, Row]]] = {}
    for row in sorted(used, key=lambda row: str(row["image_id"]), reverse=True):
        if row.get("laterality") and row.get("view"):
            pairs.setdefault(key_of(row, "exam"), {}).setdefault(row["view"], {})[row["laterality"]] = row
    found = {}
    for exam, views in pairs.items():
        both = [sides for sides in views.values() if len(sides) == 2]
        values = [breasts.left_right(pixels(s["R"]), *_shown(pixels, s["L"])) for s in both]
        if values:
            found[exam] = (max(v[0] for v in values), max(v[1] for v in values))
    return found


def _shown(pixels: Loader, row: Row) -> tuple[Any, float]:
    image = pixels(row)
    return image, mm_per_pixel(row, image)
