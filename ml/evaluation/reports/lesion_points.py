"""Where a detector is set: the score that validation chose, and what is found at that score in other patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.froc import Froc, On, froc, threshold_at
from ml.evaluation.detection.hits import headline
from ml.evaluation.detection.matching import Outcomes, judge
from ml.evaluation.detection.things import ANY, Image
from ml.evaluation.intervals import Resample
from ml.evaluation.reports.ground import Found, Ground, remarks, scope_of
from ml.evaluation.reports.rows import Figure, Rows, mean_figure, point_row, rows_of
from ml.evaluation.undefined import Undefined

Floats = npt.NDArray[np.float64]
RATE = 0.3
RULE = f"{RATE} false positives a complete image"


def chosen(images: Sequence[Image], found: Found, findings: Sequence[str]) -> dict[str, float]:
    """Target to the lowest score with at most RATE false positives a complete image of validation.

    A target without a mark there, or of which even the surest candidates are too many false ones, has none.
    """
    scores = {}
    for target in (ANY, *findings):
        try:
            score = threshold_at(froc(judge(images, found, target, headline(target)), "finding", "complete"), RATE)
        except Undefined:
            continue
        if np.isfinite(score):
            scores[target] = score
    return scores


def as_stored(scores: Mapping[str, float]) -> dict[str, Any]:
    """As model/spec.json has it."""
    return {"false_positives_per_image": RATE, "split": "val", "score": dict(scores)}


def rows_at(ground: Ground, draws: Resample, target: str, judged: Outcomes) -> Rows:
    """Sensitivity and false positives an image at validation's threshold; none on validation itself, or without it.

    In a merger the folds are pooled, each at the threshold of its own.
    """
    if not ground.points or ground.split == "val":
        return []
    at = ground.threshold(target)
    only = ground.points[0].get(target) if len(ground.points) == 1 else None
    about = {**remarks(ground, judged, target), "chosen_on": "val", "rule": RULE, "threshold": only}
    rows: Rows = []
    for name, on, suffix, figure_of, why in _ROWS:
        curve = froc(judged, "finding", on)
        own = {"criterion": headline(target), "fp_on": on, **about}
        scope = scope_of(ground, draws, target, "finding", len(curve.units), int(curve.background.sum()), own)
        if at is None:
            rows.append(point_row(scope, name + suffix, None, "no_threshold"))
        else:
            rows += rows_of(scope, name, figure_of(curve, at), {}, why, suffix=suffix)
    return rows


def _sensitivity(curve: Froc, at: Floats) -> Figure:
    """The share of findings that are hit at the threshold of their patient; a finding weighs what an image does."""
    found = mean_figure((curve.hit >= at[curve.unit_image]).astype(np.float64))
    return lambda weights: found(weights[:, curve.unit_image])


def _false(curve: Froc, at: Floats) -> Figure:
    """False positives a background image."""
    counted = curve.false_image[curve.false >= at[curve.false_image]]
    counts = np.bincount(counted, minlength=len(curve.background)).astype(np.float64)
    return mean_figure(np.where(curve.background, counts, np.nan))


_ROWS: tuple[tuple[str, On, str, Callable[[Froc, Floats], Figure], str], ...] = (
    ("sensitivity", "complete", "", _sensitivity, "no_marks"),
    ("fp_per_image", "normal", "", _false, "no_normals"),
    ("fp_per_image", "complete", ":complete", _false, "no_normals"),
)
"""Name, the images on which false positives count, suffix, figure and why it is null: normal images come first."""
