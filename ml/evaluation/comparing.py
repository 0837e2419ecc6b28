"""Two models on the same patients: each figure of both and their difference, whose interval uses the same draws.

A patient who is hard for one model is mostly hard for the other too. Drawn together, that cancels, so the interval of
the difference is narrower than the two models' own intervals let fear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml.evaluation.detection.things import ANY
from ml.evaluation.report import report_of
from ml.evaluation.reports import density, outlines, tissues
from ml.evaluation.reports.asked import Asked
from ml.evaluation.reports.binary_units import Units
from ml.evaluation.reports.ground import Ground as Lesions
from ml.evaluation.reports.outline_units import BESIDE, Measured
from ml.evaluation.reports.region_units import Regions
from ml.evaluation.reports.rows import OTHER
from ml.evaluation.subgroups import GAP

#: What must be the same in both manifests for their figures to be about the same thing.
TRUTH = ("patient_id", "exam_id", "rows", "cols", "density", "findings", "complete", "outcome")


class NotComparable(ValueError):
    """The two models were not asked the same thing of the same images."""


@dataclass(frozen=True)
class Comparison:
    """Rows of metrics.json: `series` model is the first, baseline the second, difference the first minus the second.

    headline: those of the differences that the task leads with. patients: how many both were tested on.
    """

    metrics: list[dict[str, Any]]
    headline: list[dict[str, Any]]
    patients: int


def compare(one: Asked, other: Asked, task: str, *, split: str = "test") -> Comparison:
    """Both models on the images that both manifests have in `split`, in the figures of the first's task.

    Of models that were asked for different findings, those of the findings of both. Raises NotComparable where there
    is no such image or finding, where they were labelled otherwise, where what is positive for one is not for the
    other, or where one model learned from a patient whom the other is tested on; NotAScore and MaskUnreadable as
    `evaluate`.
    """
    shared = _shared(one, other, split)
    own, theirs = (_only(asked, shared, split) for asked in (one, other))
    report = report_of(task)
    ground = _beside(report.gather(own)[split], report.gather(theirs)[split])
    # Of the groups of patients only the dense-tissue gap is compared: whether the first closes what the second left.
    rows = [row for row in report.tell(own, split, ground).metrics if not row["subgroup"] or row["metric"] == GAP]
    told = {_unit(row) for row in rows if row["series"] == "difference"}
    compared = [row for row in rows if _unit(row) in told]
    apart = _asked_of_one(one.findings, other.findings)
    metrics = [row for row in compared if row["target"] not in apart]
    if compared and not metrics:
        raise NotComparable(f"no finding was asked of both models: {_said(one.findings)}, and {_said(other.findings)}")
    if not metrics:
        raise NotComparable(f"the two models have no answer of {task} in common")
    leading = [
        row for row in metrics
        if row["series"] == "difference" and row["metric"] in report.headlines.get(row["level"], ())
        and row["name"] == f"difference:{OTHER}:{row['metric']}"
    ]  # fmt: skip
    return Comparison(metrics, leading, len({patient for patient, _ in shared.values()}))


def _asked_of_one(ours: Sequence[str], theirs: Sequence[str]) -> set[str]:
    """Targets that one of the two was not asked for; none named are all. `any` means to each what it was asked for."""
    if set(ours) == set(theirs):
        return set()
    return {ANY, *(set(ours) ^ set(theirs) if ours and theirs else ())}


def _said(findings: Sequence[str]) -> str:
    return " and ".join(findings).replace("_", " ") or "any finding"


def _unit(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row and its counterparts share: the figure with its suffix, of a target at a level."""
    return row["target"], row["level"], row["name"].removeprefix(f"{row['series']}:{OTHER}:")


def _shared(one: Asked, other: Asked, split: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Image to (patient, row) of the images that both test. Raises NotComparable."""
    ours, theirs = ({row["image_id"]: row for row in asked.manifest} for asked in (one, other))
    both = [
        image for image, row in ours.items()
        if row["split"] == split and image in theirs and theirs[image]["split"] == split
    ]  # fmt: skip
    if not both:
        raise NotComparable(f"no image is in the {split} set of both")
    for image in both:
        if wrong := next((name for name in TRUTH if ours[image].get(name) != theirs[image].get(name)), None):
            raise NotComparable(f"the manifests say different things of image {image}: {wrong}")
    tested = {ours[image]["patient_id"] for image in both}
    for asked in (one, other):
        if tested & {row["patient_id"] for row in asked.manifest if row["split"] in {"train", "val"} - {split}}:
            raise NotComparable("one model learned from patients of the shared test set")
    return {image: (ours[image]["patient_id"], ours[image]) for image in both}


def _only(asked: Asked, shared: Mapping[str, Any], split: str) -> Asked:
    """The question without images of the split that only one of the two was asked about, and without baselines."""
    rows = [row for row in asked.manifest if row["split"] != split or row["image_id"] in shared]
    return replace(asked, manifest=rows, splits=(split,), pixels=None)


def _beside(own: Any, theirs: Any) -> Any:
    """The first model's ground with the second's answers where those of baselines stand, on the units of both."""
    if isinstance(own, density.Ground):
        return _densities(own, theirs)
    if isinstance(own, Lesions):
        return replace(own, others={OTHER: theirs.model})
    if isinstance(own, Regions):
        return _regions(own, theirs)
    if isinstance(own, outlines.Ground):
        return _outlines(own, theirs)
    return {level: _units(own[level], theirs[level]) for level in own if level in theirs}


def _aligned(own: Sequence[Any], theirs: Sequence[Any]) -> tuple[np.ndarray, list[int]]:
    """Which of the first's units both have (N,), and their places among the second's, in that order."""
    place = {unit: i for i, unit in enumerate(theirs)}
    return np.array([unit in place for unit in own], bool), [place[unit] for unit in own if unit in place]


def _densities(own: density.Ground, theirs: density.Ground) -> density.Ground:
    keep, places = _aligned(own.exams.ids, theirs.exams.ids)
    percent = tuple(value for value, kept in zip(own.percent, keep, strict=True) if kept)
    return replace(own, exams=own.exams.only(keep), others={OTHER: theirs.exams.p[places]}, percent=percent)


def _units(own: Units, theirs: Units) -> Units:
    keep, places = _aligned(own.ids, theirs.ids)
    # Of masses and of any finding: whoever was asked for the other would be judged by an answer it never gave.
    if apart := int((own.y[keep] != theirs.y[places]).sum()):
        raise NotComparable(
            "the two models were asked for different things: what is positive for one is not for the other in "
            f"{apart} of {len(places)} {own.level}s"
        )
    return replace(replace(own, others={}).only(keep), others={OTHER: theirs.p[places]})


def _regions(own: Regions, theirs: Regions) -> Regions:
    if own.labels != theirs.labels:
        raise NotComparable(f"the classes differ: {', '.join(own.labels)} and {', '.join(theirs.labels)}")
    keep, places = _aligned(own.ids, theirs.ids)
    return replace(replace(own, others={}).only(keep), others={OTHER: theirs.p[places]})


def _outlines(own: outlines.Ground, theirs: outlines.Ground) -> outlines.Ground:
    def of_lesion(one: Measured) -> tuple[Any, ...]:
        return one.row["image_id"], one.target

    def of_tissue(one: tissues.Measured) -> Any:
        return one.row["image_id"]

    lesions = _measured(own.lesions.images, theirs.lesions.images, of_lesion, lambda other: {
        name: other.values[name] for name in BESIDE
    })  # fmt: skip
    maps = _measured(own.tissues, theirs.tissues, of_tissue, lambda other: {**other.dice, "percent": other.percent})
    return outlines.Ground(replace(own.lesions, images=lesions), maps)


def _measured(
    own: Sequence[Any], theirs: Sequence[Any], key: Callable[[Any], Any], values: Callable[[Any], Mapping[str, float]]
) -> tuple[Any, ...]:
    found = {key(other): values(other) for other in theirs}
    return tuple(replace(one, others={OTHER: found[key(one)]}) for one in own if key(one) in found)
