"""What the baselines say of regions, learned on the training regions that a method is given too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines import regression, texture
from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.reports.asked import Asked, Row
from ml.evaluation.reports.region_units import Regions
from ml.pixels.prepare import Prepared
from ml.pixels.rois import BACKGROUND, Roi, around, cut, roi_matrix, rois_of

Floats = npt.NDArray[np.float64]
SIZE = 64
"""Side of the square that features are taken from, px: 16 bins of it hold 256 pixels each on average."""
PROBABILITIES = ("prior", "roi_regression", "size_only")


def baseline_answers(asked: Asked, labels: Sequence[str], found: Mapping[str, Regions]) -> dict[str, dict[str, Floats]]:
    """Split to baseline to probabilities (N, C) of its regions.

    The size alone must tell nothing (AUC near .5) where backgrounds are size-matched. Without pixels there are no
    training backgrounds, so neither size nor texture is learned where the classes name them.
    """
    answers: dict[str, dict[str, Floats]] = {split: {} for split in found}
    train = _train_regions(asked, labels)
    if not train:
        return answers
    y = np.array([labels.index(roi.label) for roi in train], np.int64)
    patients = [roi.patient_id for roi in train]
    prior = np.bincount(y, minlength=len(labels)) / len(y)
    for split, own in found.items():
        answers[split]["prior"] = np.tile(prior, (len(own.truth), 1))
    if len(np.unique(y)) < 2:
        return answers
    by_size = regression.fit(_sides(np.array([roi.box for roi in train])), y, patients, asked.seed)
    for split, own in found.items():
        answers[split]["size_only"] = regression.predict(by_size, _sides(own.boxes), len(labels))
    if asked.pixels is None:
        return answers
    rows = {row["image_id"]: row for row in asked.manifest}
    x = _features([(rows[roi.image_id], roi.box) for roi in train], asked.pixels)
    by_texture = regression.fit(x, y, patients, asked.seed)
    for split, own in found.items():
        squares = list(zip(own.rows, own.boxes, strict=True))
        answers[split]["roi_regression"] = regression.predict(by_texture, _features(squares, asked.pixels), len(labels))
    return answers


def _train_regions(asked: Asked, labels: Sequence[str]) -> list[Roi]:
    train = [row for row in asked.manifest if row["split"] == "train"]
    if BACKGROUND in labels and asked.pixels is None:
        return []
    pixels: Any = asked.pixels
    return rois_of(train, labels, asked.roi, asked.seed, image=pixels, mask_of=asked.mask_of)


def _sides(boxes: Floats) -> Floats:
    """Logarithm of the longest side in source pixels, (N, 1)."""
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.log(np.maximum(np.maximum(b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]), 1e-6))[:, None]


def _region(prepared: Prepared, box: Sequence[float]) -> Prepared:
    return cut(around(prepared, box, SIZE), roi_matrix(box, prepared.affine, SIZE), SIZE)


def _features(squares: Sequence[tuple[Row, Any]], pixels: Loader) -> Floats:
    """(N, 21); each image is prepared once, squares come sorted by image."""
    found = []
    whole = np.ones((SIZE, SIZE), bool)
    for _, group in groupby(squares, key=lambda square: square[0]["image_id"]):
        own = list(group)
        image = pixels(dict(own[0][0]))
        prepared = Prepared(np.asarray(image.x, np.float32), image.mask, np.asarray(image.affine, np.float64))
        for _, box in own:
            found.append(texture.features(_region(prepared, box).x, whole))
    return np.array(found, np.float64).reshape(len(squares), -1)
