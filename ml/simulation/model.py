"""What a phantom is made of, and what is known of it.

Space: millimetres in a breast of its own; x from the chest wall to the nipple, y towards the outer side, z towards the
head; the nipple lies on y = z = 0. Marks are in stored pixels, origin at the outer corner of the first pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Side = Literal["R", "L"]
Density = Literal["a", "b", "c", "d"]
FindingType = Literal["mass", "calcification", "asymmetry", "architectural_distortion"]

VIEWS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
SUBTYPES: dict[str, tuple[str, ...]] = {
    "mass": ("round", "oval", "lobulated", "irregular", "spiculated"),
    "calcification": ("punctate", "amorphous", "pleomorphic", "linear", "coarse"),
    "asymmetry": ("focal",),
    "architectural_distortion": ("radiating",),
}


@dataclass(frozen=True)
class FindingSpec:
    """A finding that is wanted. What is None is drawn from the seed.

    size_mm is the diameter: of a mass its body without spicules, of a cluster its spread.
    """

    type: FindingType
    laterality: Side = "L"
    subtype: str | None = None
    size_mm: float | None = None


@dataclass(frozen=True)
class Mark:
    """The finding in one view. kind and geometry are those of a reading document."""

    kind: Literal["box", "ellipse", "circle", "polygon"]
    geometry: list[Any]


@dataclass(frozen=True)
class Finding:
    """A finding as it is: one place in the breast, a mark in each view. centre_mm is (x, y, z)."""

    type: FindingType
    subtype: str
    laterality: Side
    pathology: Literal["benign", "malignant"]
    birads: str
    size_mm: float
    centre_mm: tuple[float, float, float]
    marks: dict[str, Mark]


@dataclass(frozen=True)
class ViewImage:
    """One view. All arrays are (rows, cols) as stored.

    pixels: uint16 of 12 bits, dense is bright, air is 0. breast, muscle: where they are. masks: one for each finding
    of this breast, by its place in `Exam.findings`. dense: the fibroglandular share of the way through, 0 to 1.
    """

    view: str
    pixels: npt.NDArray[np.uint16]
    breast: Bools
    muscle: Bools
    dense: Floats
    masks: dict[int, Bools]
    thickness_mm: float


@dataclass(frozen=True)
class Exam:
    """Four views (or those that were asked for) of one invented woman, and what is true of her."""

    seed: int
    density: Density
    spacing_mm: float
    images: dict[str, ViewImage]
    findings: tuple[Finding, ...]
    age_years: int
    distractors: tuple[str, ...] = field(default=())
