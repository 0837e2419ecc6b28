"""A split on which lesions are judged: its images, who proposes what, and the draws of its patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.matching import Outcomes
from ml.evaluation.detection.things import ANY, Candidates, Image
from ml.evaluation.intervals import Resample, Seed, resample
from ml.evaluation.reports.rows import Scope

Found = Mapping[str, Candidates]
MOST = 100
"""Candidates an image; an image that has so many may have lost some, and the curve says `truncated`."""


@dataclass(frozen=True)
class Ground:
    """A split: its images, the model's candidates and each baseline's; `rows` are the manifest's by image.

    `fold_of` names the fold of each image where several runs are told together. `points`: of each fold, target to the
    score from which a candidate counts, as chosen on validation; empty without a validation.
    """

    split: str
    images: Sequence[Image]
    model: Found
    others: Mapping[str, Found]
    replicates: int
    seed: int
    rows: Mapping[str, Mapping[str, Any]]
    fold_of: Mapping[str, int] | None = None
    points: tuple[Mapping[str, float], ...] = ()

    @property
    def folds(self) -> npt.NDArray[np.int64] | None:
        """The fold of each image, (I,)."""
        fold_of = self.fold_of
        return None if fold_of is None else np.array([fold_of[image.image_id] for image in self.images], np.int64)

    def threshold(self, target: str) -> npt.NDArray[np.float64] | None:
        """The score from which a candidate of each image counts, (I,); None where a fold has none."""
        scores = [own[target] for own in self.points if target in own]
        if not scores or len(scores) < len(self.points):
            return None
        folds = self.folds
        return np.array(scores)[np.zeros(len(self.images), np.int64) if folds is None else folds]

    def each_fold(self) -> list[tuple[dict[str, int], Ground]]:
        """The folds of a merger with their number, else the whole ground."""
        fold_of = self.fold_of
        if fold_of is None:
            return [({}, self)]
        return [
            ({"fold": k}, replace(self, images=[image for image in self.images if fold_of[image.image_id] == k]))
            for k in sorted(set(fold_of.values()))
        ]


def joined(folds: Sequence[Ground]) -> Ground:
    """The grounds of several folds as one."""
    names = set.intersection(*(set(fold.others) for fold in folds))
    return replace(
        folds[0],
        images=[image for fold in folds for image in fold.images],
        model={key: own for fold in folds for key, own in _own(fold, fold.model).items()},
        others={n: {k: own for fold in folds for k, own in _own(fold, fold.others[n]).items()} for n in sorted(names)},
        rows={key: row for fold in folds for key, row in fold.rows.items()},
        fold_of={image.image_id: k for k, fold in enumerate(folds) for image in fold.images},
        points=tuple(own for fold in folds for own in fold.points) if all(fold.points for fold in folds) else (),
    )


def _own(ground: Ground, found: Found) -> Found:
    """The candidates in the ground's own images: a fold's model answers on others too."""
    return {image.image_id: found[image.image_id] for image in ground.images if image.image_id in found}


def draws_of(images: Sequence[Image], judged: Outcomes, replicates: int, seed: Seed) -> Resample:
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
        folds=ground.folds,
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
