"""Boxes around marks. Detection reads the first slot of a sample."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ml.geometry.affine import apply_mark
from ml.geometry.shapes import bounds
from ml.pixels.mark_masks import box_around
from ml.runs.manifest import ManifestRow, Mark
from ml.training.targets.shown import Group, MaskOf, Shown

MIN_BOX_PX = 2.0
LESION_TYPES = ("mass", "calcification", "asymmetry", "architectural_distortion")


def marks_of(row: ManifestRow, findings: Sequence[str]) -> tuple[list[Mark], list[str], list[Mark]]:
    """(marks to learn, their types, marks to ignore) of an image; only marks that have an extent.

    Marks of findings that the run does not learn, or that are marked as to be ignored, teach nothing either way.
    """
    learned: list[Mark] = []
    types: list[str] = []
    ignored: list[Mark] = []
    for finding in row.findings:
        for mark in finding.marks:
            if mark.kind in ("point", "label_map"):
                continue
            if (not findings or finding.type in findings) and finding.difficulty != "ignore":
                learned.append(mark)
                types.append(finding.type)
            else:
                ignored.append(mark)
    return learned, types, ignored


def extent(row: ManifestRow, mark: Mark, mask_of: MaskOf) -> tuple[str, object]:
    """A mark as (kind, geometry) that can be moved: a stored mask is the box around it."""
    if mark.kind != "mask":
        return mark.kind, mark.geometry
    return "box", list(box_around(mask_of(row, mark) > 0) or (0.0, 0.0, 0.0, 0.0))


def boxes_of(
    row: ManifestRow, marks: Sequence[Mark], affine: np.ndarray, rows: int, cols: int, mask_of: MaskOf
) -> Tensor:
    """(N, 4) boxes around the marks where the affine puts them, clipped to the prepared image.

    The mark is moved and then boxed: the box of a turned circle is no larger than the circle.
    """
    if not marks:
        return torch.zeros(0, 4)
    moved = [apply_mark(affine, *extent(row, mark, mask_of)) for mark in marks]
    boxes = np.array([bounds(*mark) for mark in moved], dtype=np.float64)
    return torch.from_numpy(clipped(boxes, rows, cols).astype(np.float32))


def clipped(boxes: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """(N, 4) boxes inside an image."""
    return np.stack(
        [boxes[:, 0].clip(0, cols), boxes[:, 1].clip(0, rows), boxes[:, 2].clip(0, cols), boxes[:, 3].clip(0, rows)], 1
    )


def build(shown: Shown) -> dict[str, Tensor]:
    """boxes (M, 4), labels (M,) indices of the aim's findings, ignore (G, 4), complete ()."""
    row, affine, size = shown.rows[0], shown.affines[0], shown.sizes[0]
    marks, types, ignored = marks_of(row, shown.aim.findings)
    boxes = boxes_of(row, marks, affine, *size, shown.mask_of)
    big = (boxes[:, 2] - boxes[:, 0] >= MIN_BOX_PX) & (boxes[:, 3] - boxes[:, 1] >= MIN_BOX_PX)
    kinds = [shown.aim.findings.index(kind) if kind in shown.aim.findings else 0 for kind in types]
    return {
        "boxes": boxes[big],
        "labels": torch.tensor(kinds, dtype=torch.long)[big],
        "ignore": boxes_of(row, ignored, affine, *size, shown.mask_of),
        "complete": torch.tensor(row.complete),
    }


def build_lesions(shown: Shown) -> dict[str, Tensor]:
    """As `build`, with types (M,) indices of `LESION_TYPES` and malignant (M,): 1, 0, or -1 where nobody knows."""
    row, found = shown.rows[0], build(shown)
    marks, types, _ = marks_of(row, shown.aim.findings)
    boxes = boxes_of(row, marks, shown.affines[0], *shown.sizes[0], shown.mask_of)
    big = ((boxes[:, 2:] - boxes[:, :2]) >= MIN_BOX_PX).all(1)
    known = {"benign": 0, "malignant": 1}
    said = {id(mark): known.get(finding.pathology, -1) for finding in row.findings for mark in finding.marks}
    kinds = [LESION_TYPES.index(kind) if kind in LESION_TYPES else -1 for kind in types]
    return {
        **found,
        "types": torch.tensor(kinds, dtype=torch.long)[big],
        "malignant": torch.tensor([said[id(mark)] for mark in marks], dtype=torch.long)[big],
    }


def group(shown: Shown, kind: str | None = None) -> Group:
    """1 with a mark to learn from (of the type `kind`), 0 without; an incomplete image without one is left out."""
    _, types, _ = marks_of(shown.rows[0], shown.aim.findings)
    if types if kind is None else kind in types:
        return 1
    return 0 if shown.rows[0].complete else None
