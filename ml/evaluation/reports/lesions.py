"""Lesions: FROC of each finding type and of any, beside the brightest blobs and boxes at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.baselines.proposals import proposals
from ml.evaluation.classification import auc_weighted
from ml.evaluation.detection import precision
from ml.evaluation.detection.froc import REPORTED_RATES, Froc, On, Per, cpm, froc, points, sensitivity
from ml.evaluation.detection.hits import CENTRE, headline
from ml.evaluation.detection.matching import Outcomes, judge
from ml.evaluation.detection.things import ANY, Candidates, Image, candidates, images_of
from ml.evaluation.intervals import Resample
from ml.evaluation.reports.ground import Found, Ground, draws_of, remarks, scope_of
from ml.evaluation.reports.lesion_groups import group_rows
from ml.evaluation.reports.misses import worst
from ml.evaluation.reports.rows import Figure, point_row, rows_of
from ml.evaluation.undefined import Undefined

Row = Mapping[str, Any]
VARIANTS: tuple[tuple[Per, On, str], ...] = (
    ("finding", "normal", ""),
    ("finding", "complete", ":complete"),
    ("mark", "normal", ":mark"),
)
"""Counting per finding on normal images is the headline; the others carry a suffix in their names."""
CRITERIA = (CENTRE, "iou>=0.1", "iou>=0.2", "iou>=0.5")
PRECISION_IOUS: Mapping[str, tuple[float, ...]] = {
    "ap@0.1": (0.1,),
    "ap@0.2": (0.2,),
    "ap@0.5": (0.5,),
    "ap@0.5:0.95": precision.COCO_IOUS,
}
CURVE_POINTS = 400
USED_KINDS = (None, "standard", "low_energy")


@dataclass(frozen=True)
class LesionReport:
    """Rows of metrics.json, curves by kind, and the worst misses and false alarms."""

    metrics: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    worst: list[dict[str, Any]]


def report(
    predictions: Sequence[Row],
    manifest: Sequence[dict[str, Any]],
    findings: Sequence[str],
    splits: Sequence[str],
    *,
    replicates: int,
    seed: int,
    pixels: Loader | None,
) -> LesionReport:
    """Everything about lesions on `splits`. Without `pixels` no baseline stands beside the model."""
    used = [row for row in manifest if row.get("image_kind") in USED_KINDS]
    model = _found(predictions)
    full = LesionReport([], {"froc": []}, [])
    asked = [row for row in used if row["split"] in splits]
    others = proposals(asked, used, findings, seed, pixels) if pixels is not None else {}
    for split in splits:
        rows = [row for row in asked if row["split"] == split]
        by_image = {row["image_id"]: row for row in rows}
        ground = Ground(split, images_of(rows), model, others, replicates, seed, by_image)
        for target in (ANY, *findings):
            full.metrics.extend(_metrics(ground, target))
            full.metrics.extend(group_rows(ground, target))
            full.curves["froc"].extend(_curves(ground, target))
        full.worst.extend(worst(ground.images, model, findings, split))
    return full


def _metrics(ground: Ground, target: str) -> list[dict[str, Any]]:
    main = headline(target)
    judged = judge(ground.images, ground.model, target, main)
    draws = draws_of(ground.images, judged, replicates=ground.replicates, seed=ground.seed)
    others = {name: judge(ground.images, found, target, main) for name, found in ground.others.items()}
    rows: list[dict[str, Any]] = []
    for per, on, suffix in VARIANTS:
        against = others if per == "finding" else {}
        rows += _froc_rows(ground, draws, target, judged, against, main, per, on, suffix)
    if target == ANY:
        return rows + _image_rows(ground, draws, target)
    for criterion in (criterion for criterion in CRITERIA if criterion != main):
        again = judge(ground.images, ground.model, target, criterion)
        rows += _froc_rows(ground, draws, target, again, {}, criterion, "finding", "normal", f":{criterion}")
    return rows + _image_rows(ground, draws, target) + _precision_rows(ground, draws, target)


def _froc_rows(
    ground: Ground,
    draws: Resample,
    target: str,
    judged: Outcomes,
    others: Mapping[str, Outcomes],
    criterion: str,
    per: Per,
    on: On,
    suffix: str,
) -> list[dict[str, Any]]:
    curve = froc(judged, per, on)
    about = {"criterion": criterion, "fp_on": on, **remarks(ground, judged, target)}
    scope = scope_of(ground, draws, target, per, len(curve.units), int(curve.background.sum()), about)
    why = "no_marks" if not curve.units else "no_normals"
    sides = {name: froc(other, per, on) for name, other in others.items()}
    rows: list[dict[str, Any]] = []
    for rate in REPORTED_RATES:
        against = {name: _sensitivity(side, rate) for name, side in sides.items()}
        name = f"froc_sens@{rate:g}"
        rows += rows_of(scope, name, _sensitivity(curve, rate), against, why, suffix=suffix, fp_per_image=rate)
    against = {name: _cpm(side) for name, side in sides.items()}
    return rows + rows_of(scope, "cpm", _cpm(curve), against, why, suffix=suffix)


def _sensitivity(curve: Froc, rate: float) -> Figure:
    return lambda weights: sensitivity(curve, (rate,), weights)[:, 0]


def _cpm(curve: Froc) -> Figure:
    return lambda weights: cpm(curve, weights)


def _image_rows(ground: Ground, draws: Resample, target: str) -> list[dict[str, Any]]:
    """AUC of an image's highest score: images with such a finding against complete ones without.

    An image whose only such mark is to be ignored is on neither side.
    """
    of_target = [_has(image, target) for image in ground.images]
    ignored = [any(mark.ignore and target in (ANY, mark.type) for mark in image.marks) for image in ground.images]
    used = [i for i, image in enumerate(ground.images) if of_target[i] or (image.complete and not ignored[i])]
    y = np.array([of_target[i] for i in used], np.int64)
    scope = scope_of(ground, draws, target, "image", int(y.sum()), int((1 - y).sum()))

    def figure(found: Found) -> Figure:
        s = np.array([_highest(found, ground.images[i].image_id, target) for i in used])
        return lambda weights: auc_weighted(y, s, weights[:, used])

    against = {name: figure(found) for name, found in ground.others.items()}
    return rows_of(scope, "auc_image", figure(ground.model), against, "one_class" if used else "empty")


def _precision_rows(ground: Ground, draws: Resample, target: str) -> list[dict[str, Any]]:
    rows = []
    for name, ious in PRECISION_IOUS.items():
        complete = [image for image in ground.images if image.complete]
        marks = sum(mark.type == target and not mark.ignore for image in complete for mark in image.marks)
        scope = scope_of(ground, draws, target, "mark", marks, len(complete))
        try:
            rows.append(point_row(scope, name, precision.of_class(ground.images, ground.model, target, ious)))
        except Undefined as undefined:
            rows.append(point_row(scope, name, None, undefined.reason))
    return rows


def _has(image: Image, target: str) -> bool:
    types = {*image.unmarked, *(mark.type for mark in image.marks if not mark.ignore)}
    return bool(types) if target == ANY else target in types


def _highest(found: Found, image_id: str, target: str) -> float:
    scores = found.get(image_id, Candidates()).of(target).scores
    return float(scores[0]) if len(scores) else 0.0


def _curves(ground: Ground, target: str) -> list[dict[str, Any]]:
    curves = []
    both: tuple[On, On] = ("normal", "complete")
    for series, found in {"model": ground.model, **{f"baseline:{k}": v for k, v in ground.others.items()}}.items():
        judged = judge(ground.images, found, target, headline(target))
        for on in both:
            try:
                x, y, t = points(froc(judged, "finding", on))
            except Undefined:
                continue
            keep = _corners(x, y)
            curves.append(
                {
                    "split": ground.split,
                    "target": target,
                    "series": series,
                    "criterion": headline(target),
                    "fp_on": on,
                    "fp_per_image": x[keep].tolist(),
                    "sensitivity": y[keep].tolist(),
                    "threshold": [None if np.isinf(value) else float(value) for value in t[keep]],
                }
            )
    return curves


def _corners(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Points where a step begins or ends, and the last; thinned evenly if still too many to draw."""
    rises = np.flatnonzero(np.diff(y) > 0)
    keep = np.unique(np.r_[0, rises, rises + 1, len(x) - 1])
    return keep[np.unique(np.linspace(0, len(keep) - 1, CURVE_POINTS).astype(np.int64))]


def _found(predictions: Sequence[Row]) -> dict[str, Candidates]:
    """Image to its candidates; single passes and members of an ensemble are left out."""
    rows: dict[str, list[Row]] = {}
    for row in predictions:
        if row.get("kind") == "box" and row.get("member") in (None, -1):
            rows.setdefault(row["image_id"], []).append(row)
    return {
        image_id: candidates(
            [[row["x0"], row["y0"], row["x1"], row["y1"]] for row in own],
            [row["score"] for row in own],
            [row["target"] for row in own],
        )
        for image_id, own in rows.items()
    }
