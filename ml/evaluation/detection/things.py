"""What detection is judged on: images, the marks that readers drew, and the candidates of a model.

All geometry is in source pixels, corner origin, x right, y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.undefined import NotAScore
from ml.geometry import shapes
from ml.pixels.mark_masks import Mask, MaskOf, box_around

ANY = "any"
"""The pooled target: a candidate of any type on a mark of any type."""
POINT_MM = 10.0
POINT_SHARE = 0.03
"""A point mark is hit within 10 mm, or within 3 % of the long side where the spacing is unknown."""
DRAWN = ("box", "circle", "ellipse", "polygon", "point")


@dataclass(frozen=True, eq=False)
class Covered:
    """What a stored mask covers: the box (x0, y0, x1, y1) of whole pixels around it, and its pixels in there (H, W)."""

    box: shapes.Bounds
    pixels: Mask

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies on one of its pixels, their edges included: on an edge it lies on both sides."""
        column, row = x - self.box[0], y - self.box[1]
        rows = slice(max(ceil(row) - 1, 0), max(floor(row) + 1, 0))
        columns = slice(max(ceil(column) - 1, 0), max(floor(column) + 1, 0))
        return bool(self.pixels[rows, columns].any())


@dataclass(frozen=True)
class Mark:
    """One geometry in one image. `unit` is its finding: two marks of one finding are one lesion in two views.

    geometry: as in the manifest, of a mark of kind mask what it covers.
    """

    image_id: str
    unit: str
    type: str
    kind: str
    geometry: Any
    mark_id: str = ""
    ignore: bool = False
    pathology: str = "unknown"

    def bounds(self) -> shapes.Bounds:
        """The smallest upright box (x0, y0, x1, y1) around it."""
        box: shapes.Bounds = self.geometry.box if self.kind == "mask" else shapes.bounds(self.kind, self.geometry)
        return box

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies inside, the border included."""
        return bool(
            self.geometry.holds(x, y) if self.kind == "mask" else shapes.contains(self.kind, self.geometry, x, y)
        )

    def outline(self) -> dict[str, Any]:
        """Kind and geometry to draw it by, as plain JSON; of a stored mask the box around it."""
        if self.kind == "mask":
            return {"kind": "box", "geometry": list(self.bounds())}
        return {"kind": self.kind, "geometry": self.geometry}


@dataclass(frozen=True)
class Image:
    """One image. `normal`: a reader stated that nothing is there; `complete`: that all findings are marked."""

    image_id: str
    exam_id: str
    patient_id: str
    complete: bool
    normal: bool
    rows: int
    cols: int
    spacing_mm: tuple[float, float] | None
    marks: tuple[Mark, ...] = ()
    unmarked: tuple[str, ...] = ()

    def point_reach(self) -> tuple[float, float]:
        """Half axes (x, y) in pixels within which a point mark is hit."""
        if self.spacing_mm:
            dy, dx = self.spacing_mm
            return POINT_MM / dx, POINT_MM / dy
        reach = POINT_SHARE * max(self.rows, self.cols)
        return reach, reach


@dataclass(frozen=True)
class Candidates:
    """What a model proposes in one image, highest score first: boxes (N, 4), scores (N,), types (N,)."""

    boxes: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    scores: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    types: tuple[str, ...] = ()

    def of(self, target: str) -> Candidates:
        """Those of one type; for `any` all of them, a box that stands under several types once, at its best score."""
        if target == ANY:
            keep = np.sort(np.unique(np.round(self.boxes, 3), axis=0, return_index=True)[1]).tolist()
        else:
            keep = [i for i, own in enumerate(self.types) if own == target]
        return Candidates(self.boxes[keep], self.scores[keep], tuple(self.types[i] for i in keep))


def candidates(boxes: Sequence[Sequence[float]], scores: Sequence[float], types: Sequence[str]) -> Candidates:
    """Candidates in order of their scores, equal ones as given. Raises NotAScore on a score or side that is none."""
    b, s = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64)
    if not (np.isfinite(s).all() and np.isfinite(b).all()):
        raise NotAScore("a candidate's score or box is NaN or infinite")
    by_score = np.argsort(-s, kind="stable")
    return Candidates(b[by_score], s[by_score], tuple(types[i] for i in by_score))


def images_of(manifest: Iterable[Mapping[str, Any]], mask_of: MaskOf | None = None) -> list[Image]:
    """Images of manifest rows (`mammoloop.manifest/1.0`) in the order of their ids; each stored mask is read once.

    Without `mask_of` a finding that is marked by a mask alone counts as unmarked. Raises MaskUnreadable.
    """
    return sorted((_image(row, mask_of) for row in manifest), key=lambda image: image.image_id)


def unit_of(exam_id: str, finding_id: str) -> str:
    """What a finding is called among all exams: its own id is unique in its exam alone."""
    return f"{exam_id}/{finding_id}"


def _image(row: Mapping[str, Any], mask_of: MaskOf | None) -> Image:
    findings = row.get("findings") or ()
    spacing = row.get("spacing_mm")
    marked = [(finding, _marks(row, finding, mask_of)) for finding in findings]
    return Image(
        image_id=row["image_id"],
        exam_id=row["exam_id"],
        patient_id=row["patient_id"],
        complete=bool(row.get("complete")),
        normal=bool(row.get("complete")) and not findings,
        rows=int(row["rows"]),
        cols=int(row["cols"]),
        spacing_mm=(float(spacing[0]), float(spacing[1])) if spacing else None,
        marks=tuple(mark for _, own in marked for mark in own),
        unmarked=tuple(finding["type"] for finding, own in marked if not own),
    )


def _marks(row: Mapping[str, Any], finding: Mapping[str, Any], mask_of: MaskOf | None) -> list[Mark]:
    marks = finding.get("marks") or ()
    drawn = [_mark(row, finding, mark, mark["geometry"]) for mark in marks if mark["kind"] in DRAWN]
    # A mask beside what was drawn is the same lesion once more: it would have to be found twice.
    if drawn or mask_of is None:
        return drawn
    covered = [(mark, _covered(mask_of(row, mark))) for mark in marks if mark["kind"] == "mask"]
    return [_mark(row, finding, mark, own) for mark, own in covered if own]


def _covered(mask: Mask) -> Covered | None:
    """None for an empty mask."""
    if (box := box_around(mask)) is None:
        return None
    left, top, right, bottom = map(int, box)
    # A copy: a view would keep the mask of the whole image in memory.
    return Covered(box, mask[top:bottom, left:right].copy())


def _mark(row: Mapping[str, Any], finding: Mapping[str, Any], mark: Mapping[str, Any], geometry: Any) -> Mark:
    return Mark(
        image_id=row["image_id"],
        unit=unit_of(row["exam_id"], finding["finding_id"]),
        type=finding["type"],
        kind=mark["kind"],
        geometry=geometry,
        mark_id=str(mark.get("mark_id") or ""),
        ignore=finding.get("difficulty") == "ignore",
        pathology=finding.get("pathology") or "unknown",
    )
