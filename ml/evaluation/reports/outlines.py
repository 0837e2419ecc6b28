"""Outlines: overlap and surface distance to the readers', of images and of findings, and of tissues where they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.intervals import SUBGROUP_REPLICATES, resample
from ml.evaluation.reports import tissues
from ml.evaluation.reports.asked import Asked, Report
from ml.evaluation.reports.outline_units import BESIDE, VALUES, Measured, Measurements, measure, share_of_squares
from ml.evaluation.reports.rows import Figure, Rows, Scope, mean_figure, point_row, rows_of
from ml.evaluation.subgroups import LEAST

Floats = npt.NDArray[np.float64]
LOWER = frozenset({"hd95_mm", "assd_mm", "hd95_mm_or_diagonal"})
WORST = 12


@dataclass(frozen=True)
class Ground:
    """What was measured on a split: lesions' outlines, and tissues."""

    lesions: Measurements
    tissues: tuple[tissues.Measured, ...]


def gather(asked: Asked) -> dict[str, Ground]:
    """Split to its measurements. Raises MaskUnreadable where a mask is absent or not of its image's size."""
    share = share_of_squares(asked)
    return {split: Ground(measure(asked, split, share), tissues.measure(asked, split)) for split in asked.splits}


def join(folds: Sequence[Ground]) -> Ground:
    """Several folds as one: overlaps are pooled, for a mask is a decision and not a rank."""
    left: dict[str, dict[str, int]] = {}
    for fold in folds:
        for target, counts in fold.lesions.left_out.items():
            own = left.setdefault(target, dict.fromkeys(counts, 0))
            for why, n in counts.items():
                own[why] += n
    lesions = Measurements(
        images=tuple(one for fold in folds for one in fold.lesions.images),
        findings=tuple(one for fold in folds for one in fold.lesions.findings),
        left_out=left,
    )
    return Ground(lesions, tuple(one for fold in folds for one in fold.tissues))


def tell(asked: Asked, split: str, ground: Ground) -> Report:
    """Rows and worst misses of a split."""
    full = Report()
    found = ground.lesions
    # A model of tissues alone outlines no lesion: it is not told that it missed them.
    for target in found.left_out if found.images or not ground.tissues else ():
        images = [one for one in found.images if one.target == target]
        scope_of = _scopes(asked, split, target, dict(found.left_out[target]))
        full.metrics.extend(_image_rows(images, scope_of))
        full.metrics.extend(_finding_rows([one for one in found.findings if one.target == target], scope_of))
        full.metrics.extend(_group_rows(images, scope_of))
        full.worst.extend(_worst(images, split))
    full.metrics.extend(tissues.rows(asked, split, ground.tissues))
    return full


ScopeOf = Callable[..., Scope]


def _scopes(asked: Asked, split: str, target: str, params: Mapping[str, Any]) -> ScopeOf:
    def scope_of(units: Sequence[Measured], level: str, most: int = asked.replicates) -> Scope:
        positive: dict[str, bool] = {}
        for one in units:
            patient = one.row["patient_id"]
            positive[patient] = positive.get(patient, False) or one.marked
        draws = resample(positive, replicates=min(most, asked.replicates), seed=asked.seed)
        return Scope(
            split=split,
            target=target,
            level=level,
            weights=draws.of_units([one.row["patient_id"] for one in units]),
            n_patients=len(draws.patients),
            n_pos_patients=draws.n_pos,
            n_units=len(units),
            n_pos=sum(one.marked for one in units),
            n_neg=sum(not one.marked for one in units),
            params={name: value for name, value in params.items() if value},
        )

    return scope_of


def _image_rows(images: Sequence[Measured], scope_of: ScopeOf) -> Rows:
    """Means over images with an outline; `:complete` counts empty ones too, as 1 where nothing was outlined."""
    marked = [one for one in images if one.marked]
    scope = scope_of(marked, "image")
    rows: Rows = []
    for name in VALUES:
        values = _values(marked, name)
        lacking: dict[str, Any] = {"undefined": int(np.isnan(values).sum())} if np.isnan(values).any() else {}
        why = next((one.reason for one in marked if one.reason), None) or "empty"
        rows += rows_of(scope, name, mean_figure(values), _others(marked, name), why,
                        lower_is_better=name in LOWER, **lacking)  # fmt: skip
    both_empty = sum(one.both_empty for one in images)
    counts: dict[str, Any] = {
        "both_empty": both_empty,
        "outlined_where_nothing_is": len(images) - len(marked) - both_empty,
    }
    whole = scope_of(images, "image")
    for name in BESIDE:
        figure = mean_figure(_values(images, name))
        rows += rows_of(whole, name, figure, _others(images, name), "empty", suffix=":complete", **counts)
    return rows


def _finding_rows(parts: Sequence[Measured], scope_of: ScopeOf) -> Rows:
    """Dice of each finding, the mean of its views, with what touches its mark."""
    views: dict[tuple[str, str | None], list[Measured]] = defaultdict(list)
    for one in parts:
        views[one.row["exam_id"], one.finding_id].append(one)
    units = [replace(own[0], values={"dice": float(np.mean([one.values["dice"] for one in own]))})
             for _, own in sorted(views.items(), key=lambda item: str(item[0]))]  # fmt: skip
    return rows_of(scope_of(units, "finding"), "dice", mean_figure(_values(units, "dice")), {}, "empty")


def _group_rows(images: Sequence[Measured], scope_of: ScopeOf) -> Rows:
    """Dice in each kind of image, density, machine and view; of fewer than ten outlines only the counts."""
    marked = [one for one in images if one.marked]
    rows: Rows = []
    for attribute, group in sorted(set().union(*(one.cells for one in marked))):
        own = [one for one in marked if (attribute, group) in one.cells]
        if len(own) == len(marked):
            continue
        scope = replace(scope_of(own, "image", SUBGROUP_REPLICATES), subgroup={attribute: group})
        if len(own) < LEAST:
            rows.append(point_row(scope, "dice", None, "too_few"))
        else:
            rows += rows_of(scope, "dice", mean_figure(_values(own, "dice")), {}, "empty")
    return rows


def _worst(images: Sequence[Measured], split: str) -> list[dict[str, Any]]:
    """Images whose outline agrees least; one that agrees by half is no miss."""
    missed = sorted((one for one in images if one.marked and one.values["dice"] < 0.5),
                    key=lambda one: (one.values["dice"], str(one.row["image_id"])))  # fmt: skip
    return [
        {"split": split, "target": one.target, "kind": "missed_finding", "exam_id": one.row["exam_id"],
         "image_id": one.row["image_id"], "score": one.values["dice"],
         "what": "outline missed" if one.values["dice"] == 0 else "outline agrees by less than half"}
        for one in missed[:WORST]
    ]  # fmt: skip


def _values(units: Sequence[Measured], name: str) -> Floats:
    return np.array([one.values[name] for one in units], np.float64)


def _others(units: Sequence[Measured], name: str) -> dict[str, Figure]:
    if name not in BESIDE or not units:
        return {}
    return {side: mean_figure(np.array([one.others[side][name] for one in units])) for side in units[0].others}
