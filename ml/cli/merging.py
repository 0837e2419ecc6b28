"""`python -m ml evaluate --merge FOLD...`: what the runs of one cross-validation are worth together. No torch."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml.datasets.folds import fold_rows
from ml.evaluation.refusing import refusing
from ml.evaluation.report import TASKS, Evaluation, evaluate_folds
from ml.evaluation.reports.asked import Asked
from ml.pixels.rois import RoiOptions
from ml.runs import atomic, versions
from ml.runs.errors import invalid
from ml.runs.folder import RunFolder
from ml.runs.manifest import read_manifest, read_meta
from ml.runs.records import to_dict
from ml.runs.request import Request, read_request
from ml.training.images import StoredImages


@dataclass(frozen=True)
class Fold:
    """A finished run of a cross-validation, as far as its evaluation needs it. `spec` is model/spec.json."""

    folder: RunFolder
    request: Request
    spec: dict[str, Any]
    manifest_sha256: str
    asked: Asked

    @property
    def task(self) -> str:
        return str(self.spec.get("task") or self.request.task)


def merge(arguments: argparse.Namespace) -> int:
    """Tell the folds as one; write metrics.json under --out, print with --json. Raises RunRefused (exit 2 or 3)."""
    folds = [read_fold(path, use_pixels=not arguments.no_pixels) for path in arguments.merge]
    require_alike(folds)
    asked = [fold.asked for fold in folds]
    if arguments.bootstrap is not None:
        if arguments.bootstrap < 1:
            raise invalid("bootstrap_invalid", "an interval needs at least one replicate")
        asked = [replace(own, replicates=arguments.bootstrap) for own in asked]
    with refusing():
        found = evaluate_folds(asked, folds[0].task)
    document = _document(folds, found)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        atomic.write_json(arguments.out / "metrics.json", document)
    if arguments.json:
        print(json.dumps(document, allow_nan=False))
    for name, value in found.headline.items():
        print(f"{name}: {'-' if value is None else format(value, '.3f')}", file=sys.stderr)
    return 0


def read_fold(path: Path, *, use_pixels: bool = True) -> Fold:
    """A run folder with its predictions, its splits those of its fold. Raises RunRefused (exit 2)."""
    folder, request, meta = RunFolder(path), read_request(path), read_meta(path)
    spec = _json(folder.model / "spec.json") if (folder.model / "spec.json").is_file() else {}
    rows = read_manifest(path)
    if request.data.folds is not None and request.data.fold is not None:
        rows = fold_rows(rows, request.data.folds, request.data.fold, request.seed)
    target = request.target
    asked = Asked(
        predictions=_lines(folder.predictions),
        manifest=[to_dict(row) for row in rows],
        splits=("test",),
        findings=tuple(spec.get("findings") or request.asked_findings),
        target=spec.get("target") or (target.kind if target else None),
        labels=tuple(spec.get("labels") or ()),
        roi=RoiOptions.of(spec.get("roi") or {}),
        regions=bool(spec.get("roi")),
        thresholds=spec.get("thresholds") or {},
        replicates=request.evaluation.bootstrap,
        seed=request.seed,
        pixels=_loader(folder, request, spec, folder.path / meta.pixels_root) if use_pixels else None,
        run_dir=path,
        pixels_root=path / meta.pixels_root,
    )
    return Fold(folder, request, spec, meta.sha256, asked)


def require_alike(folds: Sequence[Fold]) -> None:
    """Raises RunRefused (exit 2) unless the runs differ in their fold alone."""
    first = folds[0]
    if first.task not in TASKS:
        raise invalid("task_unknown", f"the task {first.task!r} has no report")
    for fold in folds[1:]:
        for name, own, other in (
            ("task", fold.task, first.task),
            ("manifest", fold.manifest_sha256, first.manifest_sha256),
            ("number of folds", fold.request.data.folds, first.request.data.folds),
            ("seed", fold.request.seed, first.request.seed),
            ("labels", fold.asked.labels, first.asked.labels),
        ):
            # Folders that were parted by hand have a manifest each; the patients are compared later.
            if own != other and not (name == "manifest" and first.request.data.folds is None):
                raise invalid(
                    "folds_differ", f"{fold.folder.path.name} has another {name} than {first.folder.path.name}"
                )
    numbers = [fold.request.data.fold for fold in folds]
    if None not in numbers and len(set(numbers)) < len(numbers):
        raise invalid("folds_differ", "a fold is named twice")
    if first.request.data.folds and len(folds) < first.request.data.folds:
        print(f"only {len(folds)} of {first.request.data.folds} folds are given", file=sys.stderr)


def _document(folds: Sequence[Fold], found: Evaluation) -> dict[str, Any]:
    return {
        "schema": versions.tag("metrics"),
        "folds": [{"run_id": fold.request.run_id, "fold": fold.request.data.fold} for fold in folds],
        "metrics": found.metrics,
        "curves": found.curves,
        "worst": found.worst,
        "headline": found.headline,
    }


def _loader(folder: RunFolder, request: Request, spec: dict[str, Any], root: Path) -> Any:
    """Images prepared as the model saw them; None without a model, whose spec alone knows how."""
    if "pixels" not in spec:
        return None
    cache = folder.path / (request.cache_dir or "pixels")
    options = {**spec["pixels"], **request.pixel_overrides}
    return StoredImages.of(root, cache, options, {}, lambda code, text, image: None).for_row


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise invalid("predictions_unreadable", f"{path.name} cannot be read: {type(error).__name__}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise invalid("model_invalid", f"{path.name} cannot be read: {type(error).__name__}") from None
