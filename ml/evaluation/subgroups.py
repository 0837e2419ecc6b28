"""Whether a model serves some patients worse: cells with enough patients, and the dense-tissue gap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt
from scipy.stats import norm

from ml.evaluation.classification import delong
from ml.evaluation.detection.things import Image, Mark
from ml.evaluation.undefined import Undefined

LEAST = 10
"""Positives and negatives under which a cell shows its counts and no figure."""
GAP = "dense_gap"
"""What the figure is called: that of fatty breasts (A+B) minus that of dense ones (C+D)."""
OF_LESIONS = ("finding_type", "pathology", "size")
"""Attributes of lesions: what has no lesion stands in each of their cells, for those with one to be told from."""
PATHOLOGIES = ("benign", "malignant")
SIZES = ("<10 mm", "10-20 mm", ">20 mm")
Verdict = Literal["no evidence", "worse in dense", "better in dense"]
DENSITY_GROUPS: Mapping[str, tuple[str, ...]] = {
    "A": ("A",), "B": ("B",), "C": ("C",), "D": ("D",), "A+B": ("A", "B"), "C+D": ("C", "D"),
}  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """AUC in fatty breasts (A+B) minus AUC in dense ones (C+D), of independent patients."""

    fatty: float
    dense: float
    z: float
    p: float
    ci: tuple[float, float]

    @property
    def gap(self) -> float:
        return self.fatty - self.dense

    @property
    def verdict(self) -> Verdict:
        return verdict(self.ci)


def verdict(ci: Sequence[float] | None) -> Verdict:
    """What an interval of the gap says; without one there is no evidence."""
    low, high = ci or (0.0, 0.0)
    return "worse in dense" if low > 0 else "better in dense" if high < 0 else "no evidence"


def dense_gap(
    y_fatty: npt.ArrayLike,
    s_fatty: npt.ArrayLike,
    y_dense: npt.ArrayLike,
    s_dense: npt.ArrayLike,
    *,
    least: int = LEAST,
) -> Gap:
    """The gap with its test by DeLong; one row a patient.

    Raises Undefined (too_few) with under `least` positives in a group.
    """
    fatty, dense = delong(y_fatty, s_fatty), delong(y_dense, s_dense)
    if min(len(fatty.v10), len(dense.v10)) < least:
        raise Undefined("too_few")
    se = math.sqrt(fatty.variance + dense.variance)
    gap = fatty.auc - dense.auc
    z = gap / se if se else 0.0
    half = float(norm.ppf(0.975)) * se
    return Gap(fatty.auc, dense.auc, z, float(2 * norm.sf(abs(z))), (gap - half, gap + half))


def groups_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The (attribute, group) cells that an image of a manifest row belongs to; unknown attributes give none."""
    label = (row.get("density") or {}).get("label")
    cells = [("density", group) for group, labels in DENSITY_GROUPS.items() if label in labels]
    for attribute in ("manufacturer", "age_band", "dataset", "view", "presentation"):
        if row.get(attribute):
            cells.append((attribute, str(row[attribute])))
    return cells


def size_group(mark: Mark, spacing_mm: tuple[float, float] | None) -> str | None:
    """The size of a mark in three classes, by the longest side in mm of the upright box around it.

    That side stands for the largest diameter. None for a point, or where the spacing is not known.
    """
    if mark.kind == "point" or spacing_mm is None:
        return None
    x0, y0, x1, y1 = mark.bounds()
    diameter = max((x1 - x0) * spacing_mm[1], (y1 - y0) * spacing_mm[0])
    return SIZES[0] if diameter < 10 else SIZES[1] if diameter <= 20 else SIZES[2]


def finding_sizes(images: Iterable[Image]) -> dict[str, str]:
    """Finding (`Mark.unit`) to the size of its largest mark in any of the images; without those of unknown size."""
    found: dict[str, str] = {}
    for image in images:
        for mark in image.marks:
            if size := size_group(mark, image.spacing_mm):
                found[mark.unit] = max(found.get(mark.unit, size), size, key=SIZES.index)
    return found
