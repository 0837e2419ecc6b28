"""What an evaluation is asked, and what a task's report answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.intervals import REPLICATES
from ml.pixels.mark_masks import MaskOf, reader
from ml.pixels.rois import RoiOptions

Row = Mapping[str, Any]
USED_KINDS = ("standard", "low_energy")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One model's predictions beside the truth.

    predictions and manifest: rows of predictions.jsonl and manifest.jsonl. target: what the label is (`outcome`,
    `presence`, ...), None for the task's own. labels: the classes in the model's order. roi: how regions are cut;
    regions: whether the model was given such squares, and not whole images.
    thresholds: the operating points of model/spec.json, used where there is no validation to choose them on.
    run_dir, pixels_root: folders that the paths of predicted and true masks start from.
    """

    predictions: Sequence[Row]
    manifest: Sequence[dict[str, Any]]
    splits: Sequence[str]
    findings: tuple[str, ...] = ()
    target: str | None = None
    labels: tuple[str, ...] = ()
    roi: RoiOptions = field(default_factory=RoiOptions)
    regions: bool = False
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    replicates: int = REPLICATES
    seed: int = 0
    pixels: Loader | None = None
    run_dir: Path | None = None
    pixels_root: Path | None = None

    @property
    def answers(self) -> list[Row]:
        """Predictions of the model as a whole; single passes and members of an ensemble are left out."""
        return [row for row in self.predictions if row.get("member") in (None, -1)]

    @property
    def used(self) -> list[dict[str, Any]]:
        """Manifest rows of the kinds that methods take; all rows where there is no image of those kinds."""
        usual = [row for row in self.manifest if (row.get("image_kind") or "standard") in USED_KINDS]
        return usual or list(self.manifest)

    @property
    def mask_of(self) -> MaskOf | None:
        """Reads the readers' stored masks, where their folder is known."""
        return reader(self.pixels_root) if self.pixels_root else None


@dataclass(frozen=True)
class Report:
    """Rows of metrics.json, curves by kind, the worst misses; thresholds: operating points chosen on validation."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    worst: list[dict[str, Any]] = field(default_factory=list)
    thresholds: dict[str, Any] = field(default_factory=dict)
