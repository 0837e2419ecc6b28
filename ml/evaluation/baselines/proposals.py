"""Both lesion baselines on a split: each image is prepared once for both and for all findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.evaluation.baselines import lesions
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.detection.things import Candidates, Mark, candidates, images_of
from ml.pixels.mark_masks import MaskOf

Row = Mapping[str, Any]
FALLBACK_SIDE_MM = 20.0
TRAIN_IMAGES_FOR_SCALE = 12
"""Training images whose strongest response scales the scores of the brightest blobs."""


def proposals(
    rows: Sequence[dict[str, Any]],
    manifest: Sequence[dict[str, Any]],
    findings: Sequence[str],
    seed: int,
    pixels: Loader,
    mask_of: MaskOf | None = None,
) -> dict[str, dict[str, Candidates]]:
    """Baseline to image to candidates, for the images of `rows`; what is learned is learned on the training rows."""
    train = [row for row in manifest if row["split"] == "train"]
    scale = _strongest(train, findings, pixels)
    marks = [mark for image in images_of(train, mask_of) for mark in image.marks if mark.kind != "point"]
    sides = {finding: _sides(train, [mark for mark in marks if mark.type == finding]) for finding in findings}
    found: dict[str, dict[str, Candidates]] = {"brightest_blob": {}, "random": {}}
    for row in rows:
        image = pixels(row)
        blobs = lesions.brightest_blobs(row, image, findings)
        chance = {f: lesions.random_boxes(row, image, sides[f], seed + i) for i, f in enumerate(findings)}
        found["brightest_blob"][row["image_id"]] = _together({f: (b, s / scale[f]) for f, (b, s) in blobs.items()})
        found["random"][row["image_id"]] = _together(chance)
    return found


def _strongest(train: Sequence[dict[str, Any]], findings: Sequence[str], pixels: Loader) -> dict[str, float]:
    """The strongest response of each finding's filter on some training images, evenly picked."""
    some = train[:: max(len(train) // TRAIN_IMAGES_FOR_SCALE, 1)][:TRAIN_IMAGES_FOR_SCALE]
    best = dict.fromkeys(findings, 0.0)
    for row in some:
        for finding, (_, scores) in lesions.brightest_blobs(row, pixels(row), findings).items():
            best[finding] = max(best[finding], float(scores[0]) if len(scores) else 0.0)
    return {finding: value or 1.0 for finding, value in best.items()}


def _sides(train: Sequence[Row], marks: Sequence[Mark]) -> list[float]:
    """Longest sides (pixels) of the training marks of a finding; 20 mm where there is none."""
    boxes = [mark.bounds() for mark in marks]
    spacing = next((row["spacing_mm"][0] for row in train if row.get("spacing_mm")), 0.2)
    return [max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes] or [FALLBACK_SIDE_MM / spacing]


def _together(of_finding: Mapping[str, lesions.Proposals]) -> Candidates:
    boxes = [box for own, _ in of_finding.values() for box in own.tolist()]
    scores = [score for _, own in of_finding.values() for score in own.tolist()]
    types = [finding for finding, (own, _) in of_finding.items() for _ in own]
    return candidates(boxes, scores, types)
