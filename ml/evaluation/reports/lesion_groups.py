"""Whether lesions are found as well in dense breasts, small sizes or one make of machine: cells with enough of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.froc import Froc, froc, sensitivity
from ml.evaluation.detection.hits import headline
from ml.evaluation.detection.matching import Outcomes, judge
from ml.evaluation.intervals import SUBGROUP_REPLICATES
from ml.evaluation.reports.ground import Ground, draws_of, scope_of
from ml.evaluation.reports.rows import OTHER, Figure, point_row, rows_of
from ml.evaluation.subgroups import GAP, LEAST, finding_sizes, groups_of, verdict

Rows = list[dict[str, Any]]
RATE = 1.0
NAME = f"froc_sens@{RATE:g}"


@dataclass(frozen=True)
class _Cell:
    """One group: its part of the ground, and the curve of its findings on the normal images."""

    ground: Ground
    curve: Froc
    judged: Outcomes
    subgroup: Mapping[str, str]

    @property
    def enough(self) -> bool:
        return min(len(self.curve.units), int(self.curve.background.sum())) >= LEAST


def group_rows(ground: Ground, target: str) -> Rows:
    """Sensitivity at one false positive a normal image in each cell; a cell of fewer than ten shows its counts only.

    A cell of images (density, machine, view) has its own normal images; one of findings (pathology, size) shares all.
    """
    whole = judge(ground.images, ground.model, target, headline(target))
    cells = [*_of_images(ground, target), *_of_findings(ground, whole)]
    rows = [row for cell in cells for row in _rows(cell, target)]
    return rows + _dense_gap(cells, target)


def _rows(cell: _Cell, target: str) -> Rows:
    draws = draws_of(cell.ground.images, cell.judged, _replicates(cell.ground), cell.ground.seed)
    counts = len(cell.curve.units), int(cell.curve.background.sum())
    scope = scope_of(cell.ground, draws, target, "finding", *counts, {"fp_on": "normal", "fp_per_image": RATE})
    scope = replace(scope, subgroup=cell.subgroup)
    if not cell.enough:
        return [point_row(scope, NAME, None, "too_few")]
    return rows_of(
        scope, NAME, lambda weights: sensitivity(cell.curve, (RATE,), weights)[:, 0], {}, "too_few", within=True
    )


def _of_images(ground: Ground, target: str) -> list[_Cell]:
    members: dict[tuple[str, str], list[str]] = {}
    for image in ground.images:
        for cell in groups_of(ground.rows[image.image_id]):
            members.setdefault(cell, []).append(image.image_id)
    cells = []
    for (attribute, group), ids in sorted(members.items()):
        if len(ids) == len(ground.images):
            continue
        part = replace(ground, images=[image for image in ground.images if image.image_id in set(ids)])
        judged = judge(part.images, ground.model, target, headline(target))
        cells.append(_Cell(part, froc(judged), judged, {attribute: group}))
    return cells


def _of_findings(ground: Ground, judged: Outcomes) -> list[_Cell]:
    curve = froc(judged)
    by_unit: dict[tuple[str, str], set[str]] = {}
    sizes = finding_sizes(ground.images)
    for mark in judged.marks:
        if mark.pathology != "unknown":
            by_unit.setdefault(("pathology", mark.pathology), set()).add(mark.unit)
        if mark.unit in sizes:
            by_unit.setdefault(("size", sizes[mark.unit]), set()).add(mark.unit)
    return [
        _Cell(ground, _only(curve, units), judged, {attribute: group})
        for (attribute, group), units in sorted(by_unit.items())
        if len(units) < len(curve.units)
    ]


def _only(curve: Froc, units: set[str]) -> Froc:
    keep = np.array([unit in units for unit in curve.units], bool)
    kept = tuple(unit for unit in curve.units if unit in units)
    return replace(curve, units=kept, hit=curve.hit[keep], unit_image=curve.unit_image[keep])


def _dense_gap(cells: Sequence[_Cell], target: str) -> Rows:
    """Sensitivity in A+B minus that in C+D, each group's patients drawn apart."""
    by_group = {cell.subgroup.get("density"): cell for cell in cells}
    fatty, dense = by_group.get("A+B"), by_group.get("C+D")
    if fatty is None or dense is None or not (fatty.enough and dense.enough):
        return []
    # One stream: begun anew for the second group, it would draw both in step.
    stream = np.random.default_rng(fatty.ground.seed)
    both = (fatty, dense)
    drawn = [draws_of(cell.ground.images, cell.judged, _replicates(cell.ground), stream) for cell in both]
    weights = [
        draws.of_units([image.patient_id for image in cell.ground.images])
        for draws, cell in zip(drawn, both, strict=True)
    ]
    counts = (
        len(fatty.curve.units) + len(dense.curve.units),
        int(fatty.curve.background.sum() + dense.curve.background.sum()),
    )
    scope = scope_of(fatty.ground, drawn[0], target, "finding", *counts, {"fp_on": "normal", "fp_per_image": RATE})
    n = weights[0].shape[1]

    def gap(of_fatty: Froc, of_dense: Froc) -> Figure:
        def figure(w: Any) -> Any:
            return sensitivity(of_fatty, (RATE,), w[:, :n])[:, 0] - sensitivity(of_dense, (RATE,), w[:, n:])[:, 0]

        return figure

    scope = replace(
        scope,
        weights=np.hstack(weights),
        folds=_both_folds(fatty.ground, dense.ground),
        n_patients=len({image.patient_id for cell in both for image in cell.ground.images}),
        subgroup={"density": "A+B minus C+D"},
    )
    # Two models, the same draws: whether one leaves a smaller gap. Of baselines that is not asked.
    beside = {OTHER: gap(_other(fatty, target), _other(dense, target))} if OTHER in fatty.ground.others else {}
    own = gap(fatty.curve, dense.curve)
    rows = rows_of(scope, GAP, own, beside, "too_few", within=True, lower_is_better=True)
    rows[0]["params"]["verdict"] = verdict(rows[0]["ci"])
    return rows


def _other(cell: _Cell, target: str) -> Froc:
    """The curve of the second of two compared models, on the cell's images."""
    return froc(judge(cell.ground.images, cell.ground.others[OTHER], target, headline(target)))


def _both_folds(a: Ground, b: Ground) -> npt.NDArray[np.int64] | None:
    first, second = a.folds, b.folds
    return None if first is None or second is None else np.r_[first, second]


def _replicates(ground: Ground) -> int:
    return min(ground.replicates, SUBGROUP_REPLICATES)
