"""A split on which lesions are judged: its images, who proposes what, and the draws of its patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml.evaluation.detection.matching import Outcomes
from ml.evaluation.detection.things import ANY, Candidates, Image
from ml.evaluation.intervals import Resample, resample
from ml.evaluation.reports.rows import Scope

Found = Mapping[str, Candidates]
MOST = 100
"""Candidates an image; an image that has so many may have lost some, and the curve says `truncated`."""


@dataclass(frozen=True)
class Ground:
    """A split: its images, the model's candidates and each baseline's; `rows` are the manifest's by image."""

    split: str
    images: Sequence[Image]
    model: Found
    others: Mapping[str, Found]
    replicates: int
    seed: int
    rows: Mapping[str, Mapping[str, Any]]


def draws_of(images: Sequence[Image], judged: Outcomes, replicates: int, seed: int) -> Resample:
    """Draws of the patients of `images`; positive are those with a mark that counts."""
    marked = {mark.image_id for mark in judged.marks}
    positive: dict[str, bool] = {}
    for image in images:
        positive[image.patient_id] = positive.get(image.patient_id, False) or image.image_id in marked
    return resample(positive, replicates=replicates, seed=seed)


def scope_of(
    ground: Ground,
    draws: Resample,
    target: str,
    level: str,
    n_pos: int,
    n_neg: int,
    params: Mapping[str, Any] | None = None,
) -> Scope:
    """A scope whose units are the images of the ground: a finding weighs what an image of its patient weighs."""
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
        params=params or {},
    )


def remarks(ground: Ground, judged: Outcomes, target: str) -> dict[str, Any]:
    """What a reader of the figure must know: findings without a mark, marks not asked, curves cut off."""
    found: dict[str, Any] = {}
    if unmarked := sum(target in (ANY, kind) for image in ground.images for kind in image.unmarked):
        found["findings_without_mark"] = unmarked
    if judged.unusable:
        found["marks_not_usable"] = judged.unusable
    if any(len(ground.model.get(image.image_id, Candidates()).scores) >= MOST for image in ground.images):
        found["truncated"] = True
    return found
