"""From a manifest row to what a loss takes. One builder a task; marks move with their image's affine."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.runs.manifest import ManifestRow, Mark
from ml.runs.validate import bounds_px

DENSITY_LABELS = ("A", "B", "C", "D")
MIN_BOX_PX = 2.0


def density_shares(row: ManifestRow) -> np.ndarray | None:
    """(4,) share of the readers for each class; None without a label."""
    if row.density is None or (row.density.label is None and not row.density.readers):
        return None
    said = [reading.label for reading in row.density.readers] or [row.density.label]
    return np.array([sum(label == c for label in said) / len(said) for c in DENSITY_LABELS], dtype=np.float32)


def density_class(row: ManifestRow) -> int | None:
    """The class most readers chose (the first of equals); None without a label."""
    shares = density_shares(row)
    return None if shares is None else int(shares.argmax())


def mark_box(mark: Mark) -> tuple[float, float, float, float] | None:
    """Bounding box in source pixels of a mark that has an extent."""
    return None if mark.kind in ("point", "mask", "label_map") else bounds_px(mark)


Box = tuple[float, float, float, float]


def boxes_of(row: ManifestRow, labels: Sequence[str]) -> tuple[list[Box], list[int], list[Box]]:
    """(boxes, classes, areas to ignore) of an image, in source pixels, clipped to it.

    Marks of findings that the run does not learn, or that are marked as to be ignored, teach nothing either way.
    """
    boxes, classes, ignore = [], [], []
    for finding in row.findings:
        for mark in finding.marks:
            box = mark_box(mark)
            if box is None:
                continue
            clipped = _clipped(box, row)
            if finding.type in labels and finding.difficulty != "ignore":
                boxes.append(clipped)
                classes.append(labels.index(finding.type))
            else:
                ignore.append(clipped)
    return boxes, classes, ignore


def _clipped(box: Sequence[float], row: ManifestRow) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(row.cols)), min(y1, float(row.rows))


def moved_boxes(boxes: Sequence[Sequence[float]], affine: np.ndarray, cols: int, rows: int) -> Tensor:
    """(N, 4) bounding boxes of the mapped corners, clipped to the prepared image; too small ones have no area."""
    if not boxes:
        return torch.zeros(0, 4)
    b = np.asarray(boxes, dtype=np.float64)
    corners = np.stack([b[:, [0, 1]], b[:, [2, 1]], b[:, [2, 3]], b[:, [0, 3]]], 1)
    mapped = corners @ affine[:2, :2].T + affine[:2, 2]
    out = np.concatenate([mapped.min(1), mapped.max(1)], 1)
    out[:, [0, 2]] = out[:, [0, 2]].clip(0, cols)
    out[:, [1, 3]] = out[:, [1, 3]].clip(0, rows)
    return torch.from_numpy(out.astype(np.float32))


def targets_for(task: str, rows: Sequence[ManifestRow], affines: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]],
                labels: Sequence[str]) -> dict[str, Tensor]:  # fmt: skip
    """The targets of one sample; rows, affines and (H, W) per slot. Detection reads the first slot."""
    if task == "density":
        shares = next((found for row in rows if (found := density_shares(row)) is not None), None)
        return {"density": torch.from_numpy(shares if shares is not None else np.full(4, 0.25, dtype=np.float32))}
    boxes, classes, ignore = boxes_of(rows[0], labels)
    height, width = sizes[0]
    moved = moved_boxes(boxes, affines[0], width, height)
    big = (moved[:, 2] - moved[:, 0] >= MIN_BOX_PX) & (moved[:, 3] - moved[:, 1] >= MIN_BOX_PX)
    return {
        "boxes": moved[big],
        "labels": torch.tensor(classes, dtype=torch.long)[big],
        "ignore": moved_boxes(ignore, affines[0], width, height),
        "complete": torch.tensor(rows[0].complete),
    }


def sampling_group(task: str, rows: Sequence[ManifestRow], labels: Sequence[str]) -> int | None:
    """What a sample counts as when samples are drawn; None = it teaches nothing and is not drawn.

    density: its class. lesions: 1 with a mark to learn from, 0 without; an incomplete image without one is left out.
    """
    if task == "density":
        return next((found for row in rows if (found := density_class(row)) is not None), None)
    boxes, _, _ = boxes_of(rows[0], labels)
    if boxes:
        return 1
    return 0 if rows[0].complete else None
