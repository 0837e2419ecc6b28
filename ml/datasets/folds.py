"""Cross-validation by patient: the fold's patients test, a part of the others validates, the rest trains.

Small sets without an official split are judged so, one run folder a fold (methods.md 0.1 and 2.11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ml.datasets.splits import stratified
from ml.runs.errors import refused
from ml.runs.manifest import ManifestRow

INNER_VALIDATION = 0.15
"""Share of a fold's training patients that validate."""


def fold_rows(rows: Sequence[ManifestRow], folds: int, fold: int, seed: int | str) -> list[ManifestRow]:
    """The rows in their order, with the splits of fold `fold` (from 0) out of `folds` in place of their own.

    Every patient with a row outside pool and audit is in the test set of exactly one fold, if all folds are drawn with
    the same rows and seed. Audit rows stay; unlabelled rows stay in the pool where their patient trains, and are left
    out where their patient validates or tests. Raises RunRefused (exit 3) where there are fewer patients than folds.
    """
    tags = tags_of(row for row in rows if row.split not in ("pool", "audit"))
    if len(tags) < folds:
        raise refused("folds_too_many", f"{len(tags)} patients cannot be parted into {folds} folds")
    drawn = stratified(tags, {str(n): 1 / folds for n in range(folds)}, seed=f"{seed}|folds")
    learning = {patient: own for patient, own in tags.items() if drawn[patient] != str(fold)}
    shares = {"train": 1 - INNER_VALIDATION, "val": INNER_VALIDATION}
    splits = dict.fromkeys(tags, "test") | stratified(learning, shares, seed=f"{seed}|fold {fold}")
    placed = (_placed(row, splits.get(row.patient_id)) for row in rows)
    return [row for row in placed if row is not None]


def tags_of(rows: Iterable[ManifestRow]) -> dict[str, set[str]]:
    """Patients with the tags that are spread over splits: density, findings, pathology, outcome, maker, data set."""
    tags: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        own = tags[row.patient_id]
        if row.density and row.density.label:
            own.add(f"density:{row.density.label}")
        if row.outcome and row.outcome.cancer is not None:
            own.add(f"outcome:{row.outcome.cancer}")
        own |= {f"manufacturer:{row.manufacturer}"} if row.manufacturer else set()
        own |= {f"dataset:{row.dataset}"} if row.dataset else set()
        for finding in row.findings:
            own |= {f"finding:{finding.type}", f"pathology:{finding.pathology}"}
    return dict(tags)


def _placed(row: ManifestRow, split: str | None) -> ManifestRow | None:
    if row.split == "audit" or split is None:
        return row
    if row.split == "pool":
        return row if split == "train" else None
    return replace(row, split=split)  # type: ignore[arg-type] # test, or a share's name: train or val
