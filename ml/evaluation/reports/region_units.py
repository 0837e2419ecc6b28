"""The regions that a model answered on, as its prediction rows name them, with the truth that the manifest tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.things import images_of, unit_of
from ml.evaluation.reports.asked import Asked, Row
from ml.evaluation.subgroups import OF_LESIONS, PATHOLOGIES, finding_sizes, groups_of
from ml.evaluation.undefined import NotAScore
from ml.pixels.rois import BACKGROUND, Box, class_of, is_background

Floats = npt.NDArray[np.float64]
Square = tuple[str, str, Box]
"""Image, finding (empty for background), sides in source pixels."""
Key = tuple[str, str, int]
"""Image, finding (empty for background), and which of its squares: the same for models that cut with other margins."""


@dataclass(frozen=True)
class Regions:
    """N regions: truth (N,) and probabilities p (N, C) by `labels`, squares (N, 4) in source pixels, in order of ids.

    rows: the manifest row of each. others: baselines' scores (N, C). folds: (N,) in a merger.
    """

    target: str
    labels: tuple[str, ...]
    ids: tuple[Key, ...]
    finding_ids: tuple[str | None, ...]
    rows: tuple[Row, ...]
    truth: npt.NDArray[np.int64]
    p: Floats
    boxes: Floats
    unknown: int = 0
    others: Mapping[str, Floats] = field(default_factory=dict)
    folds: npt.NDArray[np.int64] | None = None

    @property
    def patients(self) -> tuple[str, ...]:
        return tuple(row["patient_id"] for row in self.rows)

    def of_pathology(self, word: str) -> list[int]:
        """The classes that say benign, or malignant."""
        return [c for c, label in enumerate(self.labels) if label.rpartition(":")[2] == word]

    def cells(self) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
        """(attribute, group) to its regions (N,); background belongs to every cell of lesions."""
        sizes = finding_sizes(images_of({row["image_id"]: row for row in self.rows}.values()))
        own = [self._own_cells(i, sizes) for i in range(len(self.ids))]
        background = np.array([finding is None for finding in self.finding_ids], bool)
        found = {}
        for cell in sorted(set().union(*own)):
            member = np.array([cell in cells for cells in own], bool)
            found[cell] = member | background if cell[0] in OF_LESIONS else member
        return found

    def _own_cells(self, i: int, sizes: Mapping[str, str]) -> set[tuple[str, str]]:
        row = self.rows[i]
        cells = {*groups_of(row), ("image_kind", str(row.get("image_kind") or "standard"))}
        for finding in (f for f in row.get("findings") or () if f["finding_id"] == self.finding_ids[i]):
            cells.add(("finding_type", finding["type"]))
            # Where the classes name it, a cell of one pathology has no region of the other to be told from.
            if finding.get("pathology") in PATHOLOGIES and not any(map(self.of_pathology, PATHOLOGIES)):
                cells.add(("pathology", finding["pathology"]))
            if size := sizes.get(unit_of(row["exam_id"], finding["finding_id"])):
                cells.add(("size", size))
        return cells

    def only(self, keep: npt.NDArray[np.bool_]) -> Regions:
        """The regions where `keep` (N,) is True."""
        places = np.flatnonzero(keep)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in places), finding_ids=tuple(self.finding_ids[i] for i in places),
            rows=tuple(self.rows[i] for i in places), truth=self.truth[keep], p=self.p[keep], boxes=self.boxes[keep],
            others={name: s[keep] for name, s in self.others.items()},
            folds=None if self.folds is None else self.folds[keep],
        )  # fmt: skip

    def each_fold(self) -> list[tuple[dict[str, int], Regions]]:
        """The folds of a merger with their number, else all regions at once."""
        if self.folds is None:
            return [({}, self)]
        return [({"fold": int(k)}, self.only(self.folds == k)) for k in np.unique(self.folds)]


def labels_of(asked: Asked) -> tuple[str, ...]:
    """The classes in the model's order: as asked, else as the prediction rows number them."""
    if asked.labels:
        return asked.labels
    named = {row["class_index"]: row["label"] for row in _said(asked)}
    return tuple(named[c] for c in sorted(named)) or ("benign", "malignant")


def regions_of(asked: Asked, labels: Sequence[str], split: str) -> Regions:
    """The answered regions of a split whose true class is among the labels. Raises NotAScore, MaskUnreadable."""
    manifest = {row["image_id"]: row for row in asked.manifest if row["split"] == split}
    said: dict[Square, Floats] = {}
    about: dict[Square, Row] = {}
    for row in _said(asked):
        if row["image_id"] in manifest:
            square = _square(row)
            said.setdefault(square, np.zeros(len(labels)))[row["class_index"]] = row["prob"]
            about[square] = row
    if not all(np.isfinite(p).all() for p in said.values()):
        raise NotAScore("a region's probability is NaN or infinite")
    truth = {square: _truth(asked, labels, row, manifest[row["image_id"]]) for square, row in about.items()}
    keys = _numbered(about)
    squares = sorted((square for square in said if truth[square] in labels), key=lambda square: keys[square])
    return Regions(
        target=asked.target or next((str(row["target"]) for row in about.values()), "pathology"),
        labels=tuple(labels),
        ids=tuple(keys[square] for square in squares),
        finding_ids=tuple(about[square].get("finding_id") for square in squares),
        rows=tuple(manifest[square[0]] for square in squares),
        truth=np.array([labels.index(str(truth[square])) for square in squares], np.int64),
        p=np.array([said[square] for square in squares], np.float64).reshape(-1, len(labels)),
        boxes=np.array([square[2] for square in squares], np.float64).reshape(-1, 4),
        unknown=len(said) - len(squares),
    )


def _said(asked: Asked) -> list[Row]:
    """Class rows of regions, of the target asked."""
    return [
        row
        for row in asked.answers
        if row.get("level") == "finding" and row.get("kind") == "prob" and asked.target in (None, row.get("target"))
    ]


def _square(row: Row) -> Square:
    x0, y0, x1, y1 = (float(row[side]) for side in ("x0", "y0", "x1", "y1"))
    return row["image_id"], row.get("finding_id") or "", (x0, y0, x1, y1)


def _numbered(about: Mapping[Square, Row]) -> dict[Square, Key]:
    """Squares to units. Rows of earlier versions have no number: theirs is the place in the order of their squares."""
    before: Counter[tuple[str, str]] = Counter()
    keys: dict[Square, Key] = {}
    for image, finding, box in sorted(about):
        number = about[image, finding, box].get("number")
        keys[image, finding, box] = image, finding, before[image, finding] if number is None else int(number)
        before[image, finding] += 1
    return keys


def _truth(asked: Asked, labels: Sequence[str], said: Row, row: Row) -> str | None:
    """What the manifest says today: a finding may have been labelled otherwise since, or marked in a background."""
    if named := said.get("finding_id"):
        findings: Iterable[Row] = row.get("findings") or ()
        finding = next((one for one in findings if one["finding_id"] == named), None)
        wanted = replace(asked.roi, findings=asked.roi.findings or asked.findings)
        return None if finding is None else class_of(finding, labels, wanted)
    if said.get("truth") != BACKGROUND:
        return said.get("truth")
    return BACKGROUND if is_background(row, _square(said)[2], asked.mask_of) else None
