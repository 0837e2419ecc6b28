"""The regions that a model answered on, as its prediction rows name them, with the truth that stands in the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.reports.asked import Asked, Row
from ml.evaluation.subgroups import groups_of
from ml.evaluation.undefined import NotAScore

Floats = npt.NDArray[np.float64]
Key = tuple[str, str, float, float, float, float]
"""Image, finding (empty for background) and the square's sides."""


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
        """(attribute, group) to its regions (N,); background belongs to every finding type."""
        own = [self._own_cells(i) for i in range(len(self.ids))]
        background = np.array([finding is None for finding in self.finding_ids], bool)
        found = {}
        for cell in sorted(set().union(*own)):
            member = np.array([cell in cells for cells in own], bool)
            found[cell] = member | background if cell[0] == "finding_type" else member
        return found

    def _own_cells(self, i: int) -> set[tuple[str, str]]:
        row = self.rows[i]
        cells = {*groups_of(row), ("image_kind", str(row.get("image_kind") or "standard"))}
        types = [f["type"] for f in row.get("findings") or () if f["finding_id"] == self.finding_ids[i]]
        return cells | {("finding_type", kind) for kind in types}

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
    """The answered regions of a split whose true class is among the labels. Raises NotAScore."""
    manifest = {row["image_id"]: row for row in asked.manifest if row["split"] == split}
    said: dict[Key, Floats] = {}
    about: dict[Key, Row] = {}
    for row in _said(asked):
        if row["image_id"] in manifest:
            key = _key(row)
            said.setdefault(key, np.zeros(len(labels)))[row["class_index"]] = row["prob"]
            about[key] = row
    if not all(np.isfinite(p).all() for p in said.values()):
        raise NotAScore("a region's probability is NaN or infinite")
    ids = tuple(key for key in sorted(said) if about[key].get("truth") in labels)
    return Regions(
        target=asked.target or next((str(row["target"]) for row in about.values()), "pathology"),
        labels=tuple(labels),
        ids=ids,
        finding_ids=tuple(about[key].get("finding_id") for key in ids),
        rows=tuple(manifest[key[0]] for key in ids),
        truth=np.array([labels.index(about[key]["truth"]) for key in ids], np.int64),
        p=np.array([said[key] for key in ids], np.float64).reshape(-1, len(labels)),
        boxes=np.array([key[2:] for key in ids], np.float64).reshape(-1, 4),
        unknown=len(said) - len(ids),
    )


def _said(asked: Asked) -> list[Row]:
    """Class rows of regions, of the target asked."""
    return [
        row
        for row in asked.answers
        if row.get("level") == "finding" and row.get("kind") == "prob" and asked.target in (None, row.get("target"))
    ]


def _key(row: Mapping[str, Any]) -> Key:
    x0, y0, x1, y1 = (float(row[side]) for side in ("x0", "y0", "x1", "y1"))
    return row["image_id"], row.get("finding_id") or "", x0, y0, x1, y1
