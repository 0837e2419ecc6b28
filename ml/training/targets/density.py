"""Density: the share of the readers for each class of the run."""

import numpy as np
import torch
from torch import Tensor

from ml.runs.manifest import ManifestRow
from ml.training.targets.shown import Group, Shown

LETTERS = ("A", "B", "C", "D")


def density_shares(row: ManifestRow, labels: tuple[str, ...] = LETTERS) -> np.ndarray | None:
    """(C,) share of the readers for each class; None without a label, or with one that the run does not learn."""
    if row.density is None or (row.density.label is None and not row.density.readers):
        return None
    said: list[str | None] = [reading.label for reading in row.density.readers] or [row.density.label]
    known = [label for label in said if label in labels]
    return np.array([known.count(c) / len(known) for c in labels], dtype=np.float32) if known else None


def density_class(row: ManifestRow, labels: tuple[str, ...] = LETTERS) -> int | None:
    """The class most readers chose (the first of equals); None without a label."""
    shares = density_shares(row, labels)
    return None if shares is None else int(shares.argmax())


def build(shown: Shown) -> dict[str, Tensor]:
    """density (C,): shares; equal ones where nobody said anything."""
    labels = shown.aim.labels
    shares = next((found for row in shown.rows if (found := density_shares(row, labels)) is not None), None)
    return {"density": torch.from_numpy(shares if shares is not None else np.full(len(labels), 1 / len(labels), "f4"))}


def group(shown: Shown) -> Group:
    """Its class."""
    return next((found for row in shown.rows if (found := density_class(row, shown.aim.labels)) is not None), None)
