"""Finished run folders, as the learner leaves them, and versions made of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image as Picture

from accounts.models import User
from annotations import services as annotations
from annotations.models import Reading
from core.ids import uuid7
from exchange.models import Snapshot
from jobs.models import Job, JobState
from learning.models import Explanation, ModelVersion, Run, Score
from learning.services import runs
from learning.services.explanations import store_explanations
from ml.runs.events import EventWriter
from ml.runs.explanations import HeatMap, write_explanations
from ml.runs.result import write_result

METRICS = [
    {"name": "qwk", "metric": "qwk", "series": "model", "baseline": None,
     "target": "density", "level": "exam", "split": "test", "subgroup": None, "value": 0.61,
     "ci": [0.4, 0.8], "ci_method": "bootstrap", "n_patients": 11, "n_units": 11, "n_pos": 7, "n_neg": 4, "params": {}},
    {"name": "froc_sens@1", "metric": "froc_sens@1", "series": "model", "baseline": None,
     "target": "mass", "level": "finding", "split": "test", "subgroup": None, "value": None,
     "reason": "no positive patient", "ci": None, "ci_method": None, "n_patients": 2, "n_units": 2, "n_pos": 0,
     "n_neg": 2, "params": {}},
]  # fmt: skip
CURVES = {
    "reliability": [
        {"split": "test", "target": "density", "n": [0, 3], "confidence": [0.1, 0.9], "observed": [0.0, 1.0]}
    ]
}


def a_run(snapshot: Snapshot, by: User, *, method: str = "dcse_resnet50", **more: Any) -> Run:
    """A run that waits for its worker."""
    return runs.start_run(snapshot.project, snapshot, method=method, size="tiny", by=by, **more)


def finish(run: Run, *, metrics: list[dict[str, Any]] = METRICS, predictions: Any = ()) -> Path:
    """Write what a learner leaves behind when it has finished this run."""
    folder = runs.write_folder(run)
    events = EventWriter(folder / "events.jsonl")
    events.write("started", run_id=str(run.pk), attempt=1, resumed_from=None)
    events.write("progress", stage="main", step=5, planned_steps=10, loss=0.5, eta_s=3)
    events.write("finished", metrics_headline={"qwk": 0.61}, model_sha256="0" * 64)
    events.close()
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "weights.safetensors").write_bytes(str(run.pk).encode())
    (folder / "model" / "spec.json").write_text("{}")
    (folder / "metrics.json").write_text(json.dumps({"metrics": metrics, "curves": CURVES, "worst": []}))
    (folder / "environment.json").write_text(json.dumps({"code_version": "abc123"}))
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in predictions))
    files = [folder / name for name in ("model", "metrics.json", "predictions.jsonl")]
    write_result(folder, command="train", best={"qwk": 0.61}, files=files)
    return folder


def a_version(snapshot: Snapshot, by: User, *, method: str, **finished: Any) -> ModelVersion:
    """A candidate: its run's folder is finished and imported, its job done."""
    run = a_run(snapshot, by, method=method)
    finish(run, **finished)
    version = runs.import_run(run)
    Job.objects.filter(pk=run.job_id).update(state=JobState.DONE)
    return version


def density_rows(exam_id: Any) -> list[dict[str, Any]]:
    """What the learner says of an exam: one row a class."""
    about = {"level": "exam", "kind": "prob", "patient_id": "p", "exam_id": str(exam_id), "image_id": None}
    about |= {"laterality": None, "target": "density", "member": -1, "split": "pool", "model_version": "m"}
    unsure = {"entropy": 1.4, "mutual_information": None, "variance": None}
    return [{**about, **unsure, "class_index": n, "label": label, "prob": 0.25} for n, label in enumerate("abcd")]


def write_scores(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write what a learner leaves behind when it has scored."""
    (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "predictions.jsonl").write_text("")
    write_result(folder, command="score", best={}, files=[folder / "scores.jsonl"])


def heat_maps(folder: Path, *images: Any, level: int = 255) -> None:
    """What a learner leaves of these images: a picture at a quarter of their size, brightest in a corner."""
    (folder / "explanations").mkdir(exist_ok=True)
    maps = []
    for n, image in enumerate(images):
        rows, cols = image.rows // 4, image.cols // 4
        picture = np.zeros((rows, cols), np.uint8)
        picture[: rows // 2, : cols // 2] = level
        Picture.fromarray(picture).save(folder / "explanations" / f"{n:05d}-0.png")
        maps.append(
            HeatMap(
                exam_id=str(image.exam_id), image_id=str(image.pk), unit=str(image.exam_id), split="test",
                target="density", label="C", kind="grad_cam", score=0.7, path=f"explanations/{n:05d}-0.png",
                rows=rows, cols=cols, affine=((0.25, 0.0, 0.0), (0.0, 0.25, 0.0), (0.0, 0.0, 1.0)),
                maximum=0.5 if level else 0.0, empty=not level,
            )
        )  # fmt: skip
    write_explanations(folder / "explanations", maps)


def a_map(version: ModelVersion, image: Any) -> Explanation:
    """A heat map of an image, as an import would have stored it."""
    with TemporaryDirectory() as folder:
        heat_maps(Path(folder), image)
        store_explanations(version, Path(folder))
    return Explanation.objects.get(version=version, image=image)


def scored(version: ModelVersion, values: Mapping[Any, float | None], *, part: str = "density") -> None:
    """Scores of a version, as an import would have stored them."""
    Score.objects.bulk_create(
        Score(version=version, exam_id=exam.pk, part=part, value=value, kind="mutual_information")
        for exam, value in values.items()
    )


def say_density(reading: Reading, by: User) -> int:
    """The least that a reading needs to be completed; its revision."""
    patch = [{"op": "replace", "path": "/breasts/L/density", "value": "b"}]
    return annotations.apply_edit(reading.pk, by=by, revision=reading.revision, edit_id=uuid7(), patch=patch).revision
