"""Predictions as rows of predictions.jsonl: geometry in source pixels, one row a class, a box or a mask."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.acquisition.uncertainty import entropy, mutual_information, two_class
from ml.geometry.affine import apply_boxes, invert
from ml.methods.spec import Prediction
from ml.runs.manifest import ManifestRow
from ml.training.data import Sample
from ml.training.targets.boxes import clipped

Row = dict[str, Any]


def _base(row: ManifestRow, level: str, kind: str, target: str, version: str) -> Row:
    return {
        "level": level,
        "kind": kind,
        "patient_id": row.patient_id,
        "exam_id": row.exam_id,
        "image_id": row.image_id if level in ("image", "finding") else None,
        "laterality": row.laterality if level in ("image", "breast", "finding") else None,
        "target": target,
        "member": -1,
        "split": row.split,
        "model_version": version,
    }


def _spread(samples: np.ndarray | None, mean: np.ndarray) -> tuple[float, float | None, np.ndarray | None]:
    """(entropy, mutual information, variance per class) of class probabilities; samples (T, C) or None."""
    if samples is None:
        return float(entropy(mean)), None, None
    return float(entropy(mean)), float(mutual_information(samples)), samples.var(axis=0)


def class_rows(
    row: ManifestRow, level: str, target: str, labels: Sequence[str], mean: np.ndarray, samples: np.ndarray | None,
    version: str,
) -> list[Row]:  # fmt: skip
    """One row per class of an image, a breast, an exam or a region."""
    unsure, information, variance = _spread(samples, mean)
    return [
        {
            **_base(row, level, "prob", target, version),
            "class_index": index,
            "label": label,
            "prob": float(mean[index]),
            "entropy": unsure,
            "mutual_information": information,
            "variance": None if variance is None else float(variance[index]),
        }
        for index, label in enumerate(labels)
    ]


def region(sample: Sample) -> Row:
    """What a row about a region adds: its square in source pixels, and what it was cut around.

    truth is the label at the time; whoever evaluates asks the manifest about the finding.
    """
    assert sample.roi is not None
    sides = dict(zip(("x0", "y0", "x1", "y1"), map(float, sample.roi.box), strict=True))
    roi = sample.roi
    about = {"finding_id": roi.finding_id, "truth": roi.label or None, "roi": roi.kind, "number": roi.number}
    return {**sides, **about}


def scalar_row(row: ManifestRow, level: str, name: str, value: float, version: str) -> Row:
    """A number that a method gives beside its classes, such as the percent density."""
    return {**_base(row, level, "scalar", name, version), "value": value}


def box_rows(
    row: ManifestRow, prediction: Prediction, affine: np.ndarray, labels: Sequence[str], version: str
) -> list[Row]:
    """One row per box, mapped back into the stored pixels and clipped to them."""
    assert prediction.boxes is not None and prediction.scores is not None and prediction.labels is not None
    boxes = source_boxes(prediction.boxes.numpy(), affine, row)
    scores, classes = prediction.scores.numpy().astype(float), prediction.labels.numpy()
    samples = None if prediction.samples is None else prediction.samples.numpy()
    unsure = entropy(two_class(scores)) if len(scores) else scores
    known = mutual_information(two_class(samples)) if samples is not None and len(scores) else None
    return [
        {
            **_base(row, "image", "box", labels[int(classes[n])], version),
            "score": float(scores[n]),
            **dict(zip(("x0", "y0", "x1", "y1"), map(float, boxes[n]), strict=True)),
            "entropy": float(unsure[n]),
            "mutual_information": None if known is None else float(known[n]),
            "variance": None if samples is None else float(samples[:, n].var()),
        }
        for n in range(len(boxes))
        if boxes[n, 2] > boxes[n, 0] and boxes[n, 3] > boxes[n, 1]
    ]


def mask_row(row: ManifestRow, target: str, path: str, score: float, version: str) -> Row:
    """A stored mask; score is the mean probability inside it."""
    return {**_base(row, "image", "mask", target, version), "mask_path": path, "score": score}


def source_boxes(boxes: np.ndarray, affine: np.ndarray, row: ManifestRow) -> np.ndarray:
    """(N, 4) boxes of the prepared image in source pixels: bounding boxes of the mapped corners, clipped."""
    return clipped(apply_boxes(invert(affine), boxes), row.rows, row.cols)
