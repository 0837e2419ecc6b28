"""Whether exams are told apart as well in dense breasts, for one make of machine, for small lesions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ml.evaluation.classification import auc_weighted
from ml.evaluation.detection.things import images_of
from ml.evaluation.intervals import SUBGROUP_REPLICATES
from ml.evaluation.reports.binary_scope import auc_rows, scope_of
from ml.evaluation.reports.binary_units import Units
from ml.evaluation.reports.rows import OTHER, Figure, Rows, point_row, rows_of
from ml.evaluation.subgroups import (
    GAP,
    LEAST,
    OF_LESIONS,
    PATHOLOGIES,
    SIZES,
    dense_gap,
    finding_sizes,
    groups_of,
    verdict,
)

Cell = tuple[str, str]


def group_rows(units: Units, split: str, target: str, replicates: int, seed: int) -> Rows:
    """AUC in each cell; a cell with under ten positives or negatives shows its counts only. Then the dense gap."""
    few = min(replicates, SUBGROUP_REPLICATES)
    rows: Rows = []
    for (attribute, group), keep in _cells(units).items():
        if keep.all():
            continue
        part = units.only(keep)
        scope = replace(scope_of(part, split, target, few, seed), subgroup={attribute: group})
        enough = min(scope.n_pos, scope.n_neg) >= LEAST
        rows += auc_rows(part, scope, {}) if enough else [point_row(scope, "auc", None, "too_few")]
    return rows + _dense_gap(units, split, target, few, seed)


def _cells(units: Units) -> Mapping[Cell, npt.NDArray[np.bool_]]:
    """Cell to its units (N,), sorted; a cell of lesions has the positives with such a lesion, and all negatives."""
    own = [_own_cells(units, i) for i in range(len(units.ids))]
    found: dict[Cell, npt.NDArray[np.bool_]] = {}
    for cell in sorted(set().union(*own)):
        member = np.array([cell in cells for cells in own], bool)
        found[cell] = member | (units.y == 0) if cell[0] in OF_LESIONS else member
    return found


def _own_cells(units: Units, i: int) -> set[Cell]:
    # One of its images stands for the exam; the view is no attribute of an exam.
    cells = {cell for cell in groups_of(units.parts[i][0]) if cell[0] != "view"}
    if not units.y[i]:
        return cells
    findings = [finding for row in units.parts[i] for finding in row.get("findings") or ()]
    cells |= {("finding_type", finding["type"]) for finding in findings}
    cells |= {("pathology", f["pathology"]) for f in findings if f.get("pathology") in PATHOLOGIES}
    if sizes := finding_sizes(images_of(units.parts[i])).values():
        cells.add(("size", max(sizes, key=SIZES.index)))
    return cells


def _dense_gap(units: Units, split: str, target: str, replicates: int, seed: int) -> Rows:
    """AUC in A+B minus AUC in C+D with its verdict: by DeLong where patients are independent, else by draws."""
    cells = _cells(units)
    pair = [cells.get(("density", group)) for group in ("A+B", "C+D")]
    if pair[0] is None or pair[1] is None:
        return []
    fatty, dense = units.only(pair[0]), units.only(pair[1])
    both = units.only(pair[0] | pair[1])
    scope = replace(scope_of(both, split, target, replicates, seed), subgroup={"density": "A+B minus C+D"})
    if min(part.y.sum() for part in (fatty, dense)) < LEAST or min((1 - p.y).sum() for p in (fatty, dense)) < LEAST:
        return [point_row(scope, GAP, None, "too_few")]
    if both.one_a_patient and both.folds is None and OTHER not in both.others:
        found = dense_gap(fatty.y, fatty.p, dense.y, dense.p)
        row = point_row(scope, GAP, found.gap, z=found.z, p=found.p, verdict=found.verdict)
        return [row | {"ci": list(found.ci), "ci_method": "delong"}]
    # Each group's patients are drawn apart; a patient with exams in both is drawn in each. One stream: begun anew for
    # the second group, it would draw both in step.
    stream = np.random.default_rng(seed)
    scopes = [scope_of(part, split, target, replicates, stream) for part in (fatty, dense)]
    n = len(fatty.ids)

    def gap(of_fatty: npt.NDArray[np.float64], of_dense: npt.NDArray[np.float64]) -> Figure:
        return lambda w: auc_weighted(fatty.y, of_fatty, w[:, :n]) - auc_weighted(dense.y, of_dense, w[:, n:])

    folds = None if fatty.folds is None or dense.folds is None else np.r_[fatty.folds, dense.folds]
    scope = replace(scope, weights=np.hstack([own.weights for own in scopes]), folds=folds)
    # Two models, the same draws: whether one leaves a smaller gap. Of baselines that is not asked.
    beside = {OTHER: gap(fatty.others[OTHER], dense.others[OTHER])} if OTHER in both.others else {}
    rows = rows_of(scope, GAP, gap(fatty.p, dense.p), beside, "too_few", within=True, lower_is_better=True)
    rows[0]["params"]["verdict"] = verdict(rows[0]["ci"])
    return rows
