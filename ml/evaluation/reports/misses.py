"""The lesions that a model missed and the normal images on which it was surest, with what is needed to draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.evaluation.detection.froc import froc, threshold_at
from ml.evaluation.detection.hits import headline
from ml.evaluation.detection.matching import judge
from ml.evaluation.detection.things import Candidates, Image
from ml.evaluation.undefined import Undefined

MISSES = 12
ALARMS = 6
DRAWN = 5
RATE = 1.0
"""A lesion counts as missed at the threshold that gives one false positive a normal image."""


def worst(
    images: Sequence[Image], found: Mapping[str, Candidates], findings: Sequence[str], split: str
) -> list[dict[str, Any]]:
    """The worst misses (never hit first, then the lowest hit), then the surest false alarms on normal images."""
    misses = [miss for finding in findings for miss in _misses(images, found, finding, split)]
    misses.sort(key=lambda miss: (miss["score"] or 0.0, miss["image_id"], miss["mark_id"]))
    return misses[:MISSES] + _alarms(images, found, split)


def _misses(images: Sequence[Image], found: Mapping[str, Candidates], finding: str, split: str) -> list[dict[str, Any]]:
    judged = judge(images, found, finding, headline(finding))
    curve = froc(judged)
    try:
        threshold = threshold_at(curve, RATE)
    except Undefined:
        threshold = -np.inf
    score = {unit: hit for unit, hit in zip(curve.units, curve.hit, strict=True) if hit < threshold or np.isinf(hit)}
    by_id = {image.image_id: image for image in images}
    return [
        {
            "split": split,
            "target": finding,
            "kind": "missed_finding",
            "exam_id": by_id[mark.image_id].exam_id,
            "image_id": mark.image_id,
            "finding_id": mark.unit.rpartition("/")[2],
            "mark_id": mark.mark_id,
            "mark": mark.outline(),
            "score": float(score[mark.unit]) if np.isfinite(score[mark.unit]) else None,
            "candidates": _drawn(found.get(mark.image_id, Candidates())),
            "what": f"{finding.replace('_', ' ')} {'missed' if np.isinf(score[mark.unit]) else 'scored too low'}",
        }
        for mark in judged.marks
        if mark.unit in score
    ]


def _alarms(images: Sequence[Image], found: Mapping[str, Candidates], split: str) -> list[dict[str, Any]]:
    normal = [(image, found.get(image.image_id, Candidates())) for image in images if image.normal]
    rows = [
        {
            "split": split,
            "target": own.types[0],
            "kind": "false_alarm",
            "exam_id": image.exam_id,
            "image_id": image.image_id,
            "score": float(own.scores[0]),
            "candidates": _drawn(own),
            "what": f"{own.types[0].replace('_', ' ')} seen in a normal image",
        }
        for image, own in normal
        if len(own.scores)
    ]
    return sorted(rows, key=lambda row: (-float(str(row["score"])), str(row["image_id"])))[:ALARMS]


def _drawn(own: Candidates) -> list[dict[str, Any]]:
    """The surest candidates of an image."""
    return [
        {"box": own.boxes[i].tolist(), "score": float(own.scores[i]), "target": own.types[i]}
        for i in range(min(DRAWN, len(own.scores)))
    ]
