"""How good a finished model is: called once after training, writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml.evaluation.baselines.pixels import Loader
from ml.evaluation.intervals import REPLICATES
from ml.evaluation.reports import density, lesions


@dataclass(frozen=True)
class Evaluation:
    """What `metrics.json` holds, as plain JSON values.

    metrics: rows of `ml.evaluation.reports.rows`; the first rows are the headline.
    curves: `{"roc" | "froc" | "reliability" | "confusion": [{split, target, ...arrays}]}` for plotting.
    worst: the worst misses, each with exam_id, image_id and `what` in words.
    headline: the model's own figures on the first of `splits` that is test, else the last: `{name or target:name}`.
    """

    metrics: list[dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    worst: list[dict[str, Any]]
    headline: dict[str, float | None]


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
) -> Evaluation:
    """Metrics with 95 % intervals, the baselines beside them, curves and worst misses of one task.

    `predictions` are rows of predictions.jsonl, `manifest` rows of manifest.jsonl, both as dicts. `pixels` prepares
    the image of a manifest row for the baselines; without it those that look at images are left out.

    Raises NotAScore where a prediction is NaN or infinite, ValueError for a task that has no report.
    """
    if task == "density":
        found: Any = density.report(predictions, manifest, splits, replicates=bootstrap, seed=seed, pixels=pixels)
    elif task == "lesion_detection":
        found = lesions.report(predictions, manifest, findings, splits, replicates=bootstrap, seed=seed, pixels=pixels)
    else:
        raise ValueError(f"the task {task!r} has no report")
    return Evaluation(found.metrics, found.curves, found.worst, _headline(found.metrics, splits))


def _headline(metrics: Sequence[dict[str, Any]], splits: Sequence[str]) -> dict[str, float | None]:
    shown = "test" if "test" in splits else splits[-1] if splits else None
    return {
        row["name"] if row["target"] == density.TARGET else f"{row['target']}:{row['name']}": row["value"]
        for row in metrics
        if row["split"] == shown
        and not row["subgroup"]
        and row["series"] == "model"
        and row["metric"] in HEADLINES
        and row["name"] == row["metric"]
    }


HEADLINES = frozenset(
    {"qwk", "accuracy", "macro_f1", "auc_dense", "cpm", "froc_sens@0.25", "froc_sens@0.5", "froc_sens@1", "froc_sens@2"}
)
