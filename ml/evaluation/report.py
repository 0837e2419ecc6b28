"""How good a finished model is: called once after training, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.intervals import REPLICATES
from ml.evaluation.leading import leading_split
from ml.evaluation.reports import binary, density, ground, lesions, outlines, regions
from ml.evaluation.reports.asked import Asked, Report
from ml.pixels.rois import RoiOptions


@dataclass(frozen=True)
class Evaluation:
    """What `metrics.json` holds, as plain JSON values.

    metrics: rows of `ml.evaluation.reports.rows`; the first rows are the headline.
    curves: `{"roc" | "froc" | "reliability" | "confusion": [{split, target, ...arrays}]}` for plotting.
    worst: the worst misses, each with exam_id, image_id and `what` in words.
    headline: the model's own figures on the split that leads, `{name or target:name}`.
    headline_split: that split, `ml.evaluation.leading`; on val a figure is too good, for val chose the weights.
    thresholds: operating points that were chosen on validation, by level; of lesions by target.
    """

    metrics: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    worst: list[dict[str, Any]]
    headline: dict[str, float | None]
    thresholds: dict[str, Any] = field(default_factory=dict)
    headline_split: str | None = None


@dataclass(frozen=True)
class TaskReport:
    """How a task is reported: its units gathered by split, those of several folds joined, a split told.

    headlines: level to the figures that come first. named_by_target: whether a headline is `target:name`.
    """

    gather: Callable[[Asked], Mapping[str, Any]]
    join: Callable[[Sequence[Any]], Any]
    tell: Callable[[Asked, str, Any], Report]
    headlines: Mapping[str, tuple[str, ...]]
    named_by_target: bool = False


def _binary(task: str, level: str) -> TaskReport:
    return TaskReport(
        partial(binary.gather, task=task),
        binary.join,
        lambda asked, split, own: binary.tell(asked, task, split, own),
        {level: ("auc", "sens@spec0.9", "ap")},
    )


NO_NORMALS, ON_ALL_IMAGES = "no_normals", ":complete"

TASKS: Mapping[str, TaskReport] = {
    "density": TaskReport(
        density.gather, density.join, density.tell, {"exam": ("qwk", "accuracy", "macro_f1", "auc_dense")}
    ),
    "lesion_detection": TaskReport(
        lesions.gather,
        ground.joined,
        lesions.tell,
        {"finding": ("cpm", "froc_sens@0.25", "froc_sens@0.5", "froc_sens@1", "froc_sens@2")},
        named_by_target=True,
    ),
    "exam_classification": _binary("exam_classification", "patient"),
    "asymmetry": _binary("asymmetry", "exam"),
    "lesion_classification": TaskReport(
        regions.gather,
        regions.join,
        regions.tell,
        {"finding": ("auc", "accuracy", "balanced_accuracy", "macro_f1", "auc_malignant", "auc_matched")},
    ),
    "segmentation": TaskReport(
        outlines.gather,
        outlines.join,
        outlines.tell,
        {"image": ("dice", "hd95_mm", "dice:dense", "pd_mae", "pd_spearman")},
        named_by_target=True,
    ),
}


def evaluate(
    *,
    predictions: Sequence[dict[str, Any]],
    manifest: Sequence[dict[str, Any]],
    task: str,
    findings: Sequence[str] = (),
    splits: Sequence[str] = ("val", "test"),
    bootstrap: int = REPLICATES,
    seed: int = 0,
    pixels: Loader | None = None,
    target: str | None = None,
    labels: Sequence[str] = (),
    roi: Mapping[str, Any] | None = None,
    thresholds: Mapping[str, Any] | None = None,
    run_dir: Path | None = None,
    pixels_root: Path | None = None,
) -> Evaluation:
    """Metrics with 95 % intervals, the baselines beside them, curves and worst misses of one task.

    `predictions` are rows of predictions.jsonl, `manifest` rows of manifest.jsonl, both as dicts. `pixels` prepares
    the image of a manifest row for the baselines; without it those that look at images are left out. `target` says
    what the label is where a task has several (`outcome`, `presence`, `pathology`), `labels` the classes in the
    model's order, `roi` the options of `ml.pixels.rois` by which its regions were cut, none where it saw whole images.
    `thresholds` are the operating points that its spec has, for manifests without validation. `run_dir` and
    `pixels_root` are the folders that the paths of predicted and of true masks start from.

    Raises NotAScore where a prediction is NaN or infinite, MaskUnreadable where a mask is absent or of another size,
    ValueError for a task or a target that has no report.
    """
    asked = Asked(
        predictions=predictions,
        manifest=manifest,
        splits=tuple(splits),
        findings=tuple(findings),
        target=target,
        labels=tuple(labels),
        roi=RoiOptions.of(roi or {}),
        regions=bool(roi),
        thresholds=thresholds or {},
        replicates=bootstrap,
        seed=seed,
        pixels=pixels,
        run_dir=run_dir,
        pixels_root=pixels_root,
    )
    report = report_of(task)
    gathered = report.gather(asked)
    return _told(report, asked, asked.splits, gathered)


def evaluate_folds(folds: Sequence[Asked], task: str, split: str = "test") -> Evaluation:
    """The out-of-fold predictions of several runs told as one: one fold an entry, each with its own manifest.

    Figures that rank by scores (AUC, FROC) are means of those within the folds, for the scores of two models are not
    comparable; classes and outlines are pooled. Patients are drawn from all folds together.

    Raises ValueError without a fold, or where a patient is tested in two; else as `evaluate`.
    """
    tested: dict[str, int] = {}
    for k, fold in enumerate(folds):
        for patient in {row["patient_id"] for row in fold.manifest if row["split"] == split}:
            if tested.setdefault(patient, k) != k:
                raise ValueError(f"a patient is tested in fold {tested[patient]} and in fold {k}")
    if not folds:
        raise ValueError("no fold to merge")
    report = report_of(task)
    asked = [replace(fold, splits=(split,)) for fold in folds]
    whole = report.join([report.gather(fold)[split] for fold in asked])
    return _told(report, asked[0], (split,), {split: whole})


def report_of(task: str) -> TaskReport:
    """The report of a task. Raises ValueError where there is none."""
    if task not in TASKS:
        raise ValueError(f"the task {task!r} has no report")
    return TASKS[task]


def _told(report: TaskReport, asked: Asked, splits: Sequence[str], gathered: Mapping[str, Any]) -> Evaluation:
    parts = [report.tell(asked, split, gathered[split]) for split in splits]
    curves: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for kind, own in part.curves.items():
            curves.setdefault(kind, []).extend(own)
    metrics = [row for part in parts for row in part.metrics]
    thresholds = {level: point for part in parts for level, point in part.thresholds.items()}
    worst = [miss for part in parts for miss in part.worst]
    shown = leading_split(splits)
    return Evaluation(metrics, curves, worst, _headline(report, metrics, shown), thresholds, shown)


def _headline(report: TaskReport, metrics: Sequence[dict[str, Any]], shown: str | None) -> dict[str, float | None]:
    """The figures that lead, on the split that is shown."""
    return {
        f"{row['target']}:{row['name']}" if report.named_by_target else row["name"]: row["value"]
        for row in leading(report, metrics)
        if row["split"] == shown
    }


def leading(report: TaskReport, metrics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The model's rows that lead, on every split; where no image is normal to count false positives on, also those
    on all images."""
    own = [row for row in metrics if not row["subgroup"] and row["series"] == "model"]
    first = [row for row in own if row["name"] in report.headlines.get(row["level"], ())]
    instead = {
        (row["split"], row["target"], row["name"] + ON_ALL_IMAGES) for row in first if row.get("reason") == NO_NORMALS
    }
    return [row for row in own if row in first or (row["split"], row["target"], row["name"]) in instead]
