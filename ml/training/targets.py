"""From a manifest row to what a loss takes. One builder a task; marks move with their image's affine."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.geometry.affine import apply_mark
from ml.geometry.shapes import bounds
from ml.runs.manifest import ManifestRow, Mark

DENSITY_LABELS = ("A", "B", "C", "D")
MIN_BOX_PX = 2.0


def density_shares(row: ManifestRow) -> np.ndarray | None:
    """(4,) share of the readers for each class; None without a label."""
    if row.density is None or (row.density.label is None and not row.density.readers):
        return None
    said: list[str | None] = [reading.label for reading in row.density.readers] or [row.density.label]
    return np.array([sum(label == c for label in said) / len(said) for c in DENSITY_LABELS], dtype=np.float32)


def density_class(row: ManifestRow) -> int | None:
    """The class most readers chose (the first of equals); None without a label."""
    shares = density_shares(row)
    return None if shares is None else int(shares.argmax())


def marks_of(row: ManifestRow, labels: Sequence[str]) -> tuple[list[Mark], list[int], list[Mark]]:
    """(marks to learn, their classes, marks to ignore) of an image; only marks that have an extent.

    Marks of findings that the run does not learn, or that are marked as to be ignored, teach nothing either way.
    """
    learned, classes, ignored = [], [], []
    for finding in row.findings:
        for mark in finding.marks:
            if mark.kind in ("point", "mask", "label_map"):
                continue
            if finding.type in labels and finding.difficulty != "ignore":
                learned.append(mark)
                classes.append(labels.index(finding.type))
            else:
                ignored.append(mark)
    return learned, classes, ignored


def boxes_of(marks: Sequence[Mark], affine: np.ndarray, rows: int, cols: int) -> Tensor:
    """(N, 4) boxes around the marks where the affine puts them, clipped to the prepared image.

    The mark is moved and then boxed: the box of a turned circle is no larger than the circle.
    """
    if not marks:
        return torch.zeros(0, 4)
    boxes = np.array([bounds(*apply_mark(affine, mark.kind, mark.geometry)) for mark in marks], dtype=np.float64)
    return torch.from_numpy(clipped(boxes, rows, cols).astype(np.float32))


def clipped(boxes: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """(N, 4) boxes inside an image."""
    return np.stack(
        [boxes[:, 0].clip(0, cols), boxes[:, 1].clip(0, rows), boxes[:, 2].clip(0, cols), boxes[:, 3].clip(0, rows)], 1
    )


def targets_for(task: str, rows: Sequence[ManifestRow], affines: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]],
                labels: Sequence[str]) -> dict[str, Tensor]:  # fmt: skip
    """The targets of one sample; rows, affines and (H, W) per slot. Detection reads the first slot."""
    if task == "density":
        shares = next((found for row in rows if (found := density_shares(row)) is not None), None)
        return {"density": torch.from_numpy(shares if shares is not None else np.full(4, 0.25, dtype=np.float32))}
    marks, classes, ignored = marks_of(rows[0], labels)
    boxes = boxes_of(marks, affines[0], *sizes[0])
    big = (boxes[:, 2] - boxes[:, 0] >= MIN_BOX_PX) & (boxes[:, 3] - boxes[:, 1] >= MIN_BOX_PX)
    return {
        "boxes": boxes[big],
        "labels": torch.tensor(classes, dtype=torch.long)[big],
        "ignore": boxes_of(ignored, affines[0], *sizes[0]),
        "complete": torch.tensor(rows[0].complete),
    }


def sampling_group(task: str, rows: Sequence[ManifestRow], labels: Sequence[str]) -> int | None:
    """What a sample counts as when samples are drawn; None = it teaches nothing and is not drawn.

    density: its class. lesions: 1 with a mark to learn from, 0 without; an incomplete image without one is left out.
    """
    if task == "density":
        return next((found for row in rows if (found := density_class(row)) is not None), None)
    marks, _, _ = marks_of(rows[0], labels)
    if marks:
        return 1
    return 0 if rows[0].complete else None
