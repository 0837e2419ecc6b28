"""Lesions: FROC of each finding type and of any, beside the brightest blobs and boxes at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines import lesions as baselines
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.classification import auc_weighted
from ml.evaluation.detection import precision
from ml.evaluation.detection.froc import REPORTED_RATES, Froc, On, Per, cpm, froc, points, sensitivity
from ml.evaluation.detection.hits import CENTRE, headline
from ml.evaluation.detection.matching import Outcomes, judge
from ml.evaluation.detection.things import ANY, Candidates, Image, candidates, images_of
from ml.evaluation.intervals import Resample, resample
from ml.evaluation.reports.misses import worst
from ml.evaluation.reports.rows import Figure, Scope, point_row, rows_of
from ml.evaluation.undefined import Undefined
from ml.geometry.shapes import bounds

Row = Mapping[str, Any]
Found = Mapping[str, Candidates]
CRITERIA = (CENTRE, "iou>=0.1", "iou>=0.2", "iou>=0.5")
PRECISION_IOUS: Mapping[str, tuple[float, ...]] = {
    "ap@0.1": (0.1,),
    "ap@0.2": (0.2,),
    "ap@0.5": (0.5,),
    "ap@0.5:0.95": precision.COCO_IOUS,
}
MOST = 100
"""Candidates an image; an image that has so many may have lost some, and the curve says `truncated`."""
CURVE_POINTS = 400
FALLBACK_SIDE_MM = 20.0
TRAIN_IMAGES_FOR_SCALE = 24
"""Training images whose strongest response scales the scores of the brightest blobs."""
USED_KINDS = (None, "standard", "low_energy")


@dataclass(frozen=True)
class LesionReport:
    """Rows of metrics.json, curves by kind, and the worst misses and false alarms."""

    metrics: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    worst: list[dict[str, Any]]


@dataclass(frozen=True)
class _Ground:
    """A split: its images, the model's candidates and each baseline's."""

    split: str
    images: list[Image]
    model: Found
    others: Mapping[str, Found]
    replicates: int
    seed: int


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
    for split in splits:
        rows = [row for row in used if row["split"] == split]
        others = _baselines(rows, used, findings, seed, pixels) if pixels is not None else {}
        ground = _Ground(split, images_of(rows), model, others, replicates, seed)
        for target in (*findings, ANY):
            full.metrics.extend(_metrics(ground, target))
            full.curves["froc"].extend(_curves(ground, target))
        full.worst.extend(worst(ground.images, model, findings, split))
    return full


def _metrics(ground: _Ground, target: str) -> list[dict[str, Any]]:
    main = headline(target)
    judged = judge(ground.images, ground.model, target, main)
    draws = _draws(ground, judged)
    others = {name: judge(ground.images, found, target, main) for name, found in ground.others.items()}
    rows: list[dict[str, Any]] = []
    for per, on, suffix in (
        ("finding", "normal", ""),
        ("finding", "complete", ":complete"),
        ("mark", "normal", ":mark"),
    ):
        against = others if per == "finding" else {}
        rows += _froc_rows(ground, draws, target, judged, against, main, per, on, suffix)  # type: ignore[arg-type]
    if target == ANY:
        return rows + _image_rows(ground, draws, target)
    for criterion in (criterion for criterion in CRITERIA if criterion != main):
        again = judge(ground.images, ground.model, target, criterion)
        rows += _froc_rows(ground, draws, target, again, {}, criterion, "finding", "normal", f":{criterion}")
    return rows + _image_rows(ground, draws, target) + _precision_rows(ground, draws, target)


def _froc_rows(
    ground: _Ground,
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
    scope = replace(
        _scope(ground, draws, target, per, len(curve.units), int(curve.background.sum())),
        params={"criterion": criterion, "fp_on": on, **_remarks(ground, judged, target)},
    )
    why = "no_marks" if not curve.units else "no_normals"
    sides = {name: froc(other, per, on) for name, other in others.items()}
    rows: list[dict[str, Any]] = []
    for rate in REPORTED_RATES:
        against = {name: _sensitivity(side, rate) for name, side in sides.items()}
        name = f"sens@{rate:g}"
        rows += rows_of(scope, name, _sensitivity(curve, rate), against, why, suffix=suffix, fp_per_image=rate)
    against = {name: _cpm(side) for name, side in sides.items()}
    return rows + rows_of(scope, "cpm", _cpm(curve), against, why, suffix=suffix)


def _sensitivity(curve: Froc, rate: float) -> Figure:
    return lambda weights: sensitivity(curve, (rate,), weights)[:, 0]


def _cpm(curve: Froc) -> Figure:
    return lambda weights: cpm(curve, weights)


def _image_rows(ground: _Ground, draws: Resample, target: str) -> list[dict[str, Any]]:
    """AUC of an image's highest score: images with such a finding against complete ones without."""
    of_target = [_has(image, target) for image in ground.images]
    used = [i for i, image in enumerate(ground.images) if of_target[i] or image.complete]
    y = np.array([of_target[i] for i in used], np.int64)
    scope = _scope(ground, draws, target, "image", int(y.sum()), int((1 - y).sum()))

    def figure(found: Found) -> Figure:
        s = np.array([_highest(found, ground.images[i].image_id, target) for i in used])
        return lambda weights: auc_weighted(y, s, weights[:, used])

    against = {name: figure(found) for name, found in ground.others.items()}
    return rows_of(scope, "auc_image", figure(ground.model), against, "one_class" if used else "empty")


def _precision_rows(ground: _Ground, draws: Resample, target: str) -> list[dict[str, Any]]:
    rows = []
    for name, ious in PRECISION_IOUS.items():
        complete = [image for image in ground.images if image.complete]
        marks = sum(mark.type == target and not mark.ignore for image in complete for mark in image.marks)
        scope = _scope(ground, draws, target, "mark", marks, len(complete))
        try:
            rows.append(point_row(scope, name, precision.of_class(ground.images, ground.model, target, ious)))
        except Undefined as undefined:
            rows.append(point_row(scope, name, None, undefined.reason))
    return rows


def _scope(ground: _Ground, draws: Resample, target: str, level: str, n_pos: int, n_neg: int) -> Scope:
    return Scope(
        split=ground.split,
        target=target,
        level=level,
        weights=draws.of_units([image.patient_id for image in ground.images]),
        n_patients=len(draws.patients),
        n_pos_patients=draws.n_pos,
        n_units=n_pos,
        n_pos=n_pos,
        n_neg=n_neg,
    )


def _draws(ground: _Ground, judged: Outcomes) -> Resample:
    marked = {mark.image_id for mark in judged.marks}
    positive: dict[str, bool] = {}
    for image in ground.images:
        positive[image.patient_id] = positive.get(image.patient_id, False) or image.image_id in marked
    return resample(positive, replicates=ground.replicates, seed=ground.seed)


def _remarks(ground: _Ground, judged: Outcomes, target: str) -> dict[str, Any]:
    """What a reader of the figure must know: findings without a mark, marks not asked, curves cut off."""
    remarks: dict[str, Any] = {}
    if unmarked := sum(
        kind in (target, *([kind] if target == ANY else [])) for i in ground.images for kind in i.unmarked
    ):
        remarks["findings_without_mark"] = unmarked
    if judged.unusable:
        remarks["marks_not_usable"] = judged.unusable
    if any(len(ground.model.get(image.image_id, Candidates()).scores) >= MOST for image in ground.images):
        remarks["truncated"] = True
    return remarks


def _has(image: Image, target: str) -> bool:
    types = {*image.unmarked, *(mark.type for mark in image.marks if not mark.ignore)}
    return bool(types) if target == ANY else target in types


def _highest(found: Found, image_id: str, target: str) -> float:
    scores = found.get(image_id, Candidates()).of(target).scores
    return float(scores[0]) if len(scores) else 0.0


def _curves(ground: _Ground, target: str) -> list[dict[str, Any]]:
    curves = []
    for series, found in {"model": ground.model, **{f"baseline:{k}": v for k, v in ground.others.items()}}.items():
        for on in ("normal", "complete"):
            try:
                x, y, t = points(froc(judge(ground.images, found, target, headline(target)), "finding", on))  # type: ignore[arg-type]
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


def _baselines(
    rows: Sequence[dict[str, Any]],
    manifest: Sequence[dict[str, Any]],
    findings: Sequence[str],
    seed: int,
    pixels: Loader,
) -> dict[str, dict[str, Candidates]]:
    """Each image is prepared once for both baselines and all findings."""
    train = [row for row in manifest if row["split"] == "train"]
    scale = _strongest(train, findings, pixels)
    sides = {finding: _sides(train, finding) for finding in findings}
    found: dict[str, dict[str, Candidates]] = {"brightest_blob": {}, "random": {}}
    for row in rows:
        image = pixels(row)
        blobs = {f: baselines.brightest_blobs(row, image, f) for f in findings}
        chance = {f: baselines.random_boxes(row, image, sides[f], seed + i) for i, f in enumerate(findings)}
        found["brightest_blob"][row["image_id"]] = _together({f: (b, s / scale[f]) for f, (b, s) in blobs.items()})
        found["random"][row["image_id"]] = _together(chance)
    return found


def _strongest(train: Sequence[dict[str, Any]], findings: Sequence[str], pixels: Loader) -> dict[str, float]:
    """The strongest response of each finding's filter on some training images, evenly picked."""
    some = train[:: max(len(train) // TRAIN_IMAGES_FOR_SCALE, 1)][:TRAIN_IMAGES_FOR_SCALE]
    best = dict.fromkeys(findings, 0.0)
    for row in some:
        image = pixels(row)
        for finding in findings:
            scores = baselines.brightest_blobs(row, image, finding)[1]
            best[finding] = max(best[finding], float(scores[0]) if len(scores) else 0.0)
    return {finding: value or 1.0 for finding, value in best.items()}


def _sides(train: Sequence[Row], finding: str) -> list[float]:
    """Longest sides (pixels) of the training marks of a finding; 20 mm where there is none."""
    marks = [
        mark for image in images_of(train) for mark in image.marks if mark.type == finding and mark.kind != "point"
    ]
    boxes = [bounds(mark.kind, mark.geometry) for mark in marks]
    spacing = next((row["spacing_mm"][0] for row in train if row.get("spacing_mm")), 0.2)
    return [max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes] or [FALLBACK_SIDE_MM / spacing]


def _together(of_finding: Mapping[str, baselines.Proposals]) -> Candidates:
    boxes = [box for own, _ in of_finding.values() for box in own.tolist()]
    scores = [score for _, own in of_finding.values() for score in own.tolist()]
    types = [finding for finding, (own, _) in of_finding.items() for _ in own]
    return candidates(boxes, scores, types)
