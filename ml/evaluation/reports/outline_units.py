"""Outlines of an image measured once: the model's and the baselines' masks against the readers', in source pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from ml.evaluation import segmentation
from ml.evaluation.baselines import outlines as baselines
from ml.evaluation.reports.asked import Asked, Row
from ml.evaluation.subgroups import groups_of
from ml.evaluation.undefined import NotAScore
from ml.geometry.overlap import dice
from ml.pixels.mark_masks import MaskOf, covered, filled, stored
from ml.pixels.rois import LESION, Box, rois_of

Mask = npt.NDArray[np.bool_]
OUTLINES = ("polygon", "mask", "circle", "ellipse")
ANY, TISSUE = "any", "tissue"
VALUES = ("dice", "iou", "hd95_mm", "assd_mm", "hd95_mm_or_diagonal")
BESIDE = ("dice", "iou")
"""What baselines are measured by; surface distances of their ragged masks would cost more than they tell."""


@dataclass(frozen=True)
class Measured:
    """One image (or one finding in it) and one target: values by name, NaN where undefined; baselines' likewise.

    marked: whether there is an outline to find; both_empty: nothing to find, and nothing outlined.
    """

    row: Row
    target: str
    finding_id: str | None
    values: Mapping[str, float]
    marked: bool
    both_empty: bool = False
    reason: str | None = None
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def cells(self) -> set[tuple[str, str]]:
        return {*groups_of(self.row), ("image_kind", str(self.row.get("image_kind") or "standard"))}


@dataclass(frozen=True)
class Measurements:
    """All that was measured on a split. left_out counts images by why: no outline of a finding, no answer."""

    images: tuple[Measured, ...] = ()
    findings: tuple[Measured, ...] = ()
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def masks_of(asked: Asked) -> dict[str, dict[str, list[str]]]:
    """Image to target to the paths of its predicted masks. Raises NotAScore."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in asked.answers:
        if row.get("kind") == "mask":
            if row.get("score") is not None and not np.isfinite(row["score"]):
                raise NotAScore("a mask's score is NaN or infinite")
            found.setdefault(row["image_id"], {}).setdefault(row["target"], []).append(row["mask_path"])
    return found


def targets_of(said: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lesion targets that the model outlines, `any` first; `any` where it says nothing at all, none if only tissues."""
    named = {target for own in said.values() for target in own}
    return sorted(named - {TISSUE}, key=lambda target: (target != ANY, target)) or ([] if named else [ANY])


def share_of_squares(asked: Asked) -> float | None:
    """How much of the squares around training lesions is lesion, a mean; None where it is not asked, or not known.

    Raises MaskUnreadable.
    """
    if not asked.regions or asked.pixels is None:
        return None
    shares = []
    for row in (row for row in asked.manifest if row["split"] == "train"):
        own = _asked_findings(row, ANY, asked.findings)
        if own and _judgeable(row, own):
            truth = _truth(row, _outlined(asked, row, own))
            shares += [float(truth[filled("box", box, *truth.shape)].mean()) for box in _squares(asked, row)]
    return float(np.mean(shares)) if shares else None


def measure(asked: Asked, split: str, share: float | None = None) -> Measurements:
    """Every answered image of a split against the outlines of its readers; share as of `share_of_squares`.

    Raises MaskUnreadable.
    """
    said = masks_of(asked)
    used = {row["image_id"] for row in asked.used}
    rows = [row for row in asked.manifest if row["split"] == split and (row["image_id"] in used | said.keys())]
    images: list[Measured] = []
    findings: list[Measured] = []
    left_out: dict[str, dict[str, int]] = {}
    for target in targets_of(said):
        counts = left_out.setdefault(target, {"without_outline": 0, "unanswered": 0})
        for row in sorted(rows, key=lambda row: str(row["image_id"])):
            own = _asked_findings(row, target, asked.findings)
            if not _judgeable(row, own):
                counts["without_outline"] += 1
            elif row["image_id"] not in said:
                counts["unanswered"] += 1
            else:
                image, parts = _measure(asked, row, target, own, said[row["image_id"]].get(target, ()), share)
                images.append(image)
                findings += parts
    return Measurements(tuple(images), tuple(findings), left_out)


def predicted(run_dir: Path | None, row: Row, paths: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The predicted picture of an image: the largest of its files, pixel by pixel. Raises MaskUnreadable."""
    whole = np.zeros((row["rows"], row["cols"]), np.uint8)
    for path in paths:
        whole = np.maximum(whole, stored(run_dir or Path(), path, row["rows"], row["cols"]))
    return whole


def _measure(
    asked: Asked, row: dict[str, Any], target: str, own: Sequence[Row], paths: Sequence[str], share: float | None
) -> tuple[Measured, list[Measured]]:
    said = predicted(asked.run_dir, row, paths) > 0
    outlined = _outlined(asked, row, own)
    truth = _truth(row, outlined)
    spacing = tuple(row["spacing_mm"]) if row.get("spacing_mm") else None
    found = segmentation.compare(said, truth, spacing)
    beside = _baselines(asked, row, target, truth, share)
    image = Measured(
        row, target, None, _numbers(found), bool(truth.any()), found["both_empty"], found.get("reason"), beside
    )
    parts = [
        Measured(row, target, finding_id, {"dice": dice(_touching(said, mask), mask)}, marked=True)
        for finding_id, mask in outlined
    ]
    return image, parts


def _outlined(asked: Asked, row: Row, own: Sequence[Row]) -> list[tuple[str, Mask]]:
    """The outlines of an image, each with its finding."""
    return [(finding["finding_id"], mask) for finding in own for mask in _masks(row, finding, asked.mask_of)]


def _truth(row: Row, outlined: Sequence[tuple[str, Mask]]) -> Mask:
    whole = np.zeros((row["rows"], row["cols"]), bool)
    for _, mask in outlined:
        whole |= mask
    return whole


def _squares(asked: Asked, row: Row) -> list[Box]:
    """The squares of an image that a model of regions was given."""
    return [roi.box for roi in rois_of([row], (LESION,), asked.roi, asked.seed, mask_of=asked.mask_of)]


def _baselines(
    asked: Asked, row: dict[str, Any], target: str, truth: Mask, share: float | None
) -> dict[str, dict[str, float]]:
    """Who was told where the lesions are is judged beside those who are told too: they look into the same squares.

    An image without a mark was shown in squares all over the breast: there brightness is asked of the breast.
    """
    if asked.pixels is None:
        return {}
    image = asked.pixels(row)
    squares = _squares(asked, row) if asked.regions else []
    masks = {"otsu": baselines.bright_in_squares(row, image, squares) if squares else
             baselines.bright_in_source(row, image)}  # fmt: skip
    if not asked.regions:
        finding = target if target != ANY else (asked.findings or ("mass",))[0]
        masks["blob_disc"] = baselines.blob_disc(row, image, finding)
    elif share is not None:
        masks["mean_disc"] = baselines.mean_discs(row, squares, share)
    return {name: {"dice": dice(mask, truth), "iou": segmentation.iou(mask, truth)} for name, mask in masks.items()}


def _asked_findings(row: Row, target: str, findings: Sequence[str]) -> list[Row]:
    """The findings of a target; `any` is those of the run, of every type where it names none."""
    wanted = (target,) if target != ANY else findings
    return [
        finding
        for finding in row.get("findings") or ()
        if (not wanted or finding["type"] in wanted)
        and any(_is_lesion(mark) for mark in finding.get("marks") or (None,))
    ]


def _is_lesion(mark: Row | None) -> bool:
    return mark is None or mark["kind"] != "label_map"


def _judgeable(row: Row, own: Sequence[Row]) -> bool:
    """Whether the whole truth is outlined: all findings are, or there are none and a reader said so."""
    if not own:
        return bool(row.get("complete"))
    return all(
        finding.get("difficulty") != "ignore"
        and finding.get("marks")
        and all(mark["kind"] in OUTLINES for mark in finding["marks"])
        for finding in own
    )


def _masks(row: Row, finding: Row, mask_of: MaskOf | None) -> Iterator[Mask]:
    for mark in finding["marks"]:
        yield covered(row, mark, mask_of)


def _touching(said: Mask, mark: Mask) -> Mask:
    """The parts of a predicted mask that touch a mark: what is outlined elsewhere is no error of this finding."""
    parts, _ = label(said)
    return np.isin(parts, np.setdiff1d(np.unique(parts[mark]), [0]))


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float("nan") if found[name] is None else float(found[name]) for name in VALUES}
