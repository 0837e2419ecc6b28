"""Outlines as maps in network pixels: lesions of the aim's findings, or the tissues of a label map.

A polygon is drawn in the network's pixels instead of resampling a mask of it (methods.md 2.5); stored masks are moved
by nearest pixel.
"""

import numpy as np
import torch
from torch import Tensor

from ml.geometry.affine import apply_mark
from ml.pixels.mark_masks import filled, tissues
from ml.pixels.resample import resample_labels
from ml.runs.manifest import ManifestRow, Mark
from ml.training.targets.boxes import marks_of
from ml.training.targets.shown import Group, MaskOf, Shown

OUTLINES = frozenset({"polygon", "mask", "circle", "ellipse"})
#: The class of a pixel that no label map covers.
UNLABELLED = 0


def drawn(
    row: ManifestRow, marks: list[Mark], affine: np.ndarray, size: tuple[int, int], mask_of: MaskOf
) -> np.ndarray:
    """(H, W) bool: the union of the marks, in network pixels."""
    whole = np.zeros(size, dtype=bool)
    for mark in marks:
        if mark.kind == "mask":
            whole |= resample_labels((mask_of(row, mark) > 0).astype(np.uint8), affine, size) > 0
        else:
            whole |= filled(*apply_mark(affine, mark.kind, mark.geometry), *size)
    return whole


def build(shown: Shown) -> dict[str, Tensor]:
    """mask (H, W) float 0 or 1; marked (): whether there is anything; complete ()."""
    row = shown.rows[0]
    marks, _, _ = marks_of(row, shown.aim.findings)
    outlined = [mark for mark in marks if mark.kind in OUTLINES]
    mask = drawn(row, outlined, np.asarray(shown.affines[0]), shown.sizes[0], shown.mask_of)
    return {
        "mask": torch.from_numpy(mask.astype(np.float32)),
        "marked": torch.tensor(bool(mask.any())),
        "complete": torch.tensor(row.complete),
    }


def build_sides(shown: Shown) -> dict[str, Tensor]:
    """side_marks (V, H, W) float 0 or 1: what is marked in each slot, boxes filled; slots of one size."""
    maps = []
    for row, affine, size in zip(shown.rows, shown.affines, shown.sizes, strict=True):
        marks, _, _ = marks_of(row, shown.aim.findings)
        maps.append(torch.from_numpy(drawn(row, marks, np.asarray(affine), size, shown.mask_of).astype(np.float32)))
    return {"side_marks": torch.stack(maps)}


def group(shown: Shown) -> Group:
    """1 with an outline, 0 for a complete image without any; others teach nothing."""
    marks, _, _ = marks_of(shown.rows[0], shown.aim.findings)
    if any(mark.kind in OUTLINES for mark in marks):
        return 1
    return 0 if shown.rows[0].complete and not marks else None


def label_map(row: ManifestRow) -> Mark | None:
    """The label map of an image."""
    return next((mark for f in row.findings for mark in f.marks if mark.kind == "label_map"), None)


def tissue_of(row: ManifestRow, mark: Mark, mask_of: MaskOf) -> np.ndarray:
    """(rows, cols) uint8 places in `TISSUES`, in source pixels."""
    return tissues(mask_of(row, mark), mark.geometry["classes"])


def build_tissue(shown: Shown) -> dict[str, Tensor]:
    """tissue (H, W) long, classes of `TISSUES`."""
    row = shown.rows[0]
    mark = label_map(row)
    if mark is None:
        return {"tissue": torch.full(shown.sizes[0], UNLABELLED, dtype=torch.long)}
    moved = resample_labels(tissue_of(row, mark, shown.mask_of), np.asarray(shown.affines[0]), shown.sizes[0])
    return {"tissue": torch.from_numpy(moved.astype(np.int64))}


def build_breast(shown: Shown) -> dict[str, Tensor]:
    """breast_map (H, W) float 0 or 1: all that a label map names; mapped (): whether there is one."""
    tissue = build_tissue(shown)["tissue"]
    return {
        "breast_map": (tissue != UNLABELLED).float(),
        "mapped": torch.tensor(label_map(shown.rows[0]) is not None),
    }


def group_any(shown: Shown) -> Group:
    """Every image: the automatic mask of the breast is there for all."""
    return 0


def group_tissue(shown: Shown) -> Group:
    """Images with a label map."""
    return 0 if label_map(shown.rows[0]) is not None else None
