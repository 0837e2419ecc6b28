"""Lesions: FROC of each finding type and of any, beside the brightest blobs and boxes at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines.proposals import proposals
from ml.evaluation.classification import auc_weighted
from ml.evaluation.detection import precision
from ml.evaluation.detection.froc import REPORTED_RATES, Froc, On, Per, cpm, froc, points, sensitivity
from ml.evaluation.detection.hits import CENTRE, headline
from ml.evaluation.detection.matching import Outcomes, judge
from ml.evaluation.detection.things import ANY, Candidates, Image, candidates, images_of
from ml.evaluation.intervals import Resample
from ml.evaluation.reports import lesion_points
from ml.evaluation.reports.asked import Asked, Report
from ml.evaluation.reports.ground import Found, Ground, draws_of, joined, remarks, scope_of
from ml.evaluation.reports.lesion_groups import group_rows
from ml.evaluation.reports.misses import worst
from ml.evaluation.reports.rows import Figure, Scope, point_row, rows_of
from ml.evaluation.undefined import Undefined

Row = Mapping[str, Any]
__all__ = ["gather", "joined", "tell"]
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
Precisions = Mapping[str, float | None]
"""Name of `PRECISION_IOUS` to average precision; None without marks."""
CURVE_POINTS = 400


def gather(asked: Asked) -> dict[str, Ground]:
    """Split to its images with what the model and the baselines propose. Without pixels there is no baseline.

    Thresholds are chosen on validation; without it they are the model's own, if it has any.

    Raises NotAScore, MaskUnreadable.
    """
    used = asked.used
    model = _found(asked.answers)
    rows = [row for row in used if row["split"] in asked.splits]
    others = {}
    if asked.pixels is not None:
        others = proposals(rows, used, asked.findings, asked.seed, asked.pixels, asked.mask_of)
    by_split: dict[str, dict[str, dict[str, Any]]] = {split: {} for split in ("val", *asked.splits)}
    for row in used:
        by_split.setdefault(row["split"], {})[row["image_id"]] = row
    images = {split: images_of(by_split[split].values(), asked.mask_of) for split in {"val", *asked.splits}}
    scores = lesion_points.chosen(images["val"], model, asked.findings) or asked.thresholds.get("score")
    points = ({target: score for target, score in scores.items() if score is not None},) if scores else ()
    return {
        split: Ground(split, images[split], model, others, asked.replicates, asked.seed, by_split[split], points=points)
        for split in asked.splits
    }


def tell(asked: Asked, split: str, ground: Ground) -> Report:
    """Rows, curves, worst misses and false alarms of a split, for any finding together and for each."""
    full = Report(curves={"froc": []})
    precisions = {target: _precisions(ground, target) for target in asked.findings}
    for target in (ANY, *asked.findings):
        full.metrics.extend(_metrics(ground, target, precisions))
        full.metrics.extend(group_rows(ground, target))
        full.curves["froc"].extend(_curves(ground, target))
    full.worst.extend(worst(ground.images, ground.model, asked.findings, split))
    if len(ground.points) == 1:
        full.thresholds.update(lesion_points.as_stored(ground.points[0]))
    return full


def _metrics(ground: Ground, target: str, precisions: Mapping[str, Precisions]) -> list[dict[str, Any]]:
    main = headline(target)
    judged = judge(ground.images, ground.model, target, main)
    draws = draws_of(ground.images, judged, replicates=ground.replicates, seed=ground.seed)
    others = {name: judge(ground.images, found, target, main) for name, found in ground.others.items()}
    rows: list[dict[str, Any]] = []
    for per, on, suffix in VARIANTS:
        against = others if per == "finding" else {}
        rows += _froc_rows(ground, draws, target, judged, against, main, per, on, suffix)
    rows += lesion_points.rows_at(ground, draws, target, judged)
    if target == ANY:
        return rows + _image_rows(ground, draws, target) + _mean_precision_rows(ground, draws, precisions)
    for criterion in (criterion for criterion in CRITERIA if criterion != main):
        again = judge(ground.images, ground.model, target, criterion)
        rows += _froc_rows(ground, draws, target, again, {}, criterion, "finding", "normal", f":{criterion}")
    return rows + _image_rows(ground, draws, target) + _precision_rows(ground, draws, target, precisions[target])


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
        own = _sensitivity(curve, rate)
        rows += rows_of(scope, name, own, against, why, suffix=suffix, within=True, fp_per_image=rate)
    against = {name: _cpm(side) for name, side in sides.items()}
    return rows + rows_of(scope, "cpm", _cpm(curve), against, why, suffix=suffix, within=True)


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
    return rows_of(scope, "auc_image", figure(ground.model), against, "one_class" if used else "empty", within=True)


def _precision_rows(ground: Ground, draws: Resample, target: str, precisions: Precisions) -> list[dict[str, Any]]:
    scope = _precision_scope(ground, draws, target, (target,))
    return [point_row(scope, name, value, "no_marks") for name, value in precisions.items()]


def _mean_precision_rows(ground: Ground, draws: Resample, precisions: Mapping[str, Precisions]) -> list[dict[str, Any]]:
    """Mean average precision over the finding types; one without marks has none, and is left out of the mean."""
    if not precisions:
        return []
    scope = _precision_scope(ground, draws, ANY, tuple(precisions))
    rows = []
    for name in PRECISION_IOUS:
        known = {target: value for target, own in precisions.items() if (value := own[name]) is not None}
        mean = float(np.mean(list(known.values()))) if known else None
        rows.append(point_row(scope, f"m{name}", mean, "no_marks", mean_over=list(known)))
    return rows


def _precision_scope(ground: Ground, draws: Resample, target: str, types: Sequence[str]) -> Scope:
    """Of the marks of these types in complete images, the only ones that can tell a false positive."""
    complete = [image for image in ground.images if image.complete]
    marks = sum(mark.type in types and not mark.ignore for image in complete for mark in image.marks)
    return scope_of(ground, draws, target, "mark", marks, len(complete))


def _precisions(ground: Ground, target: str) -> Precisions:
    """Average precision of a type at each overlap; of several folds the mean over those with marks, else None."""
    found: dict[str, float | None] = {}
    for name, ious in PRECISION_IOUS.items():
        values = [value for _, own in ground.each_fold() if (value := _precision(own, target, ious)) is not None]
        found[name] = float(np.mean(values)) if values else None
    return found


def _precision(ground: Ground, target: str, ious: tuple[float, ...]) -> float | None:
    try:
        return precision.of_class(ground.images, ground.model, target, ious)
    except Undefined:
        return None


def _has(image: Image, target: str) -> bool:
    types = {*image.unmarked, *(mark.type for mark in image.marks if not mark.ignore)}
    return bool(types) if target == ANY else target in types


def _highest(found: Found, image_id: str, target: str) -> float:
    scores = found.get(image_id, Candidates()).of(target).scores
    return float(scores[0]) if len(scores) else 0.0


def _curves(ground: Ground, target: str) -> list[dict[str, Any]]:
    both: tuple[On, On] = ("normal", "complete")
    sides = {"model": ground.model, **{f"baseline:{name}": found for name, found in ground.others.items()}}
    curves = []
    for fold, own in ground.each_fold():
        for series, found in sides.items():
            judged = judge(own.images, found, target, headline(target))
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
                        **fold,
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
    """Image to its candidates."""
    rows: dict[str, list[Row]] = {}
    for row in predictions:
        if row.get("kind") == "box":
            rows.setdefault(row["image_id"], []).append(row)
    return {
        image_id: candidates(
            [[row["x0"], row["y0"], row["x1"], row["y1"]] for row in own],
            [row["score"] for row in own],
            [row["target"] for row in own],
        )
        for image_id, own in rows.items()
    }
