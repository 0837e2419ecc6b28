"""Tissue maps: overlap of each class with the readers' map, and the percent density that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.baselines.outlines import bright_tissue
from ml.evaluation.intervals import resample
from ml.evaluation.reports.asked import Asked, Row
from ml.evaluation.reports.outline_units import TISSUE, masks_of, predicted
from ml.evaluation.reports.percent_density import TARGET as PERCENT_DENSITY
from ml.evaluation.reports.percent_density import error_rows, values
from ml.evaluation.reports.rows import Rows, Scope, mean_figure, rows_of
from ml.geometry.overlap import dice
from ml.pixels.mark_masks import MaskUnreadable, stored, tissues
from ml.runs.manifest import TISSUES

FAT, DENSE = 1, 2
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Measured:
    """One image: Dice of each class (NaN: on neither side), percent density predicted and true (NaN: no breast)."""

    row: Row
    dice: Mapping[str, float]
    percent: float
    true_percent: float
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of a baseline: Dice by class, and `percent`."""


def percent_density(classes: Labels) -> float:
    """Dense over fat and dense, in percent: the muscle is no part of the breast. NaN without either."""
    fat, dense = int((classes == FAT).sum()), int((classes == DENSE).sum())
    return 100.0 * dense / (fat + dense) if fat + dense else float("nan")


def truth_of(asked: Asked, row: Row) -> Labels | None:
    """The readers' map of an image as places in `TISSUES`; None where there is none. Raises MaskUnreadable."""
    for finding in row.get("findings") or ():
        for mark in finding.get("marks") or ():
            if mark["kind"] == "label_map":
                return _named(asked, row, mark["geometry"])
    return None


def measure(asked: Asked, split: str) -> tuple[Measured, ...]:
    """Every image of a split with a readers' map that the model answered with a map, or with a percent."""
    said, scalars = masks_of(asked), values(asked.answers, "image_id")
    found = []
    for row in sorted((row for row in asked.manifest if row["split"] == split), key=lambda row: str(row["image_id"])):
        paths = said.get(row["image_id"], {}).get(TISSUE)
        truth = truth_of(asked, row) if paths or row["image_id"] in scalars else None
        if truth is None:
            continue
        classes = predicted(asked.run_dir, row, paths) if paths else None
        mapped = float("nan") if classes is None else percent_density(classes)
        overlap = dict.fromkeys(TISSUES, float("nan")) if classes is None else _dice(classes, truth)
        percent = scalars.get(row["image_id"], mapped)
        found.append(Measured(row, overlap, percent, percent_density(truth), _baselines(asked, row, truth)))
    return tuple(found)


def rows(asked: Asked, split: str, found: Sequence[Measured]) -> Rows:
    """Dice of each class, their mean, and the error of the percent density; none where nothing was measured."""
    if not found:
        return []
    scope = _scope(asked, split, TISSUE, found)
    told: Rows = []
    if any(not np.isnan(value) for one in found for value in one.dice.values()):
        for name in TISSUES:
            own = mean_figure(np.array([one.dice[name] for one in found]))
            beside = {
                side: mean_figure(np.array([one.others[side][name] for one in found])) for side in found[0].others
            }
            told += rows_of(scope, f"dice:{name}", own, beside, "empty")
    known = [one for one in found if not np.isnan(one.percent) and not np.isnan(one.true_percent)]
    part = _scope(asked, split, PERCENT_DENSITY, known)
    truth, model = (np.array([getattr(one, name) for one in known]) for name in ("true_percent", "percent"))
    others = {side: np.array([one.others[side]["percent"] for one in known]) for side in found[0].others}
    return told + error_rows(part, truth, model, {k: np.nan_to_num(v) for k, v in others.items()})


def _scope(asked: Asked, split: str, target: str, found: Sequence[Measured]) -> Scope:
    patients = [one.row["patient_id"] for one in found]
    draws = resample(dict.fromkeys(patients, True), replicates=asked.replicates, seed=asked.seed)
    n = len(found)
    return Scope(split, target, "image", draws.of_units(patients), len(draws.patients), draws.n_pos, n, n, 0)


def _dice(said: Labels, truth: Labels) -> dict[str, float]:
    return {
        name: dice(said == c, truth == c) if (said == c).any() or (truth == c).any() else float("nan")
        for c, name in enumerate(TISSUES)
    }


def _baselines(asked: Asked, row: dict[str, Any], truth: Labels) -> dict[str, dict[str, float]]:
    if asked.pixels is None:
        return {}
    said = bright_tissue(row, asked.pixels(row))
    return {"otsu": {**_dice(said, truth), "percent": percent_density(said)}}


def _named(asked: Asked, row: Row, geometry: Mapping[str, Any]) -> Labels:
    if asked.pixels_root is None:
        raise MaskUnreadable("label maps need a folder to be read from")
    return tissues(stored(asked.pixels_root, geometry["path"], row["rows"], row["cols"]), geometry["classes"])
