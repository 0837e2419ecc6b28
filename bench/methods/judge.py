"""Judge trained lesion models on further phantom patients, all on the same ones.

python bench/methods/judge.py OUT RUN... [--exams 160] [--seed 900]

Run folders are those that `learning.py` left. The patients are drawn with a seed of their own, so none of them was
trained on, chosen by or looked at before. More of them than a run's own 36 test patients narrow the interval: what
changes is the power of the comparison, never the model. Prints and writes OUT/judged.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.methods.learning import cohort, figures
from ml.evaluation.report import evaluate
from ml.runs import atomic
from ml.runs.manifest import ManifestRow, read_manifest, write_manifest
from ml.runs.records import to_dict
from ml.runs.request import Init, Request, write_request
from ml.training.images import StoredImages

METHOD = "retinanet_mass"


def judge(out: Path, trained: Path, rows: list[ManifestRow]) -> dict[str, object]:
    """Predictions of a trained model on the rows, and the figures beside the brightest blob's."""
    run = out / f"{trained.parent.name}-{trained.name}"
    if not (run / "result.json").exists():
        predict(out, run, trained, rows)
    spec = json.loads((trained / "model" / "spec.json").read_text())
    # The baselines learn from the patients that the model learned from: the blob its scale, chance its sizes.
    learned = [row for row in read_manifest(trained) if row.split == "train"]
    loaders = {"train": _pixels(trained.parent, spec), "test": _pixels(out, spec)}
    found = evaluate(
        predictions=[json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()],
        manifest=[to_dict(row) for row in [*learned, *rows]],
        task="lesion_detection",
        findings=tuple(spec["labels"]),
        splits=("test",),
        bootstrap=2000,
        seed=0,
        pixels=lambda row: loaders[row["split"]](row),
    )
    atomic.write_json(run / "metrics.json", {"metrics": found.metrics})
    return {"run": run.name, **figures(run, METHOD)}


def predict(out: Path, run: Path, trained: Path, rows: list[ManifestRow]) -> None:
    """A run folder with the model's predictions on the rows."""
    (run / "init").mkdir(parents=True)
    shutil.copytree(trained / "model", run / "init" / "model")
    write_manifest(run, rows, pixels_root=(out / "pixels").resolve())
    write_request(run, Request(
        run_id=run.name, command="predict", method=METHOD, size="tiny",
        init=Init(kind="model_dir", path="init/model"), pixels={"cache_dir": str((out / "cache").resolve())},
    ))  # fmt: skip
    subprocess.run([sys.executable, "-m", "ml", "predict", str(run)], check=True)


def _pixels(folder: Path, spec: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    return StoredImages.of(folder / "pixels", folder / "cache", spec["pixels"], {}, lambda *_: None).for_row


def main() -> int:
    """Make the patients once, judge every model on them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--exams", type=int, default=160)
    parser.add_argument("--seed", type=int, default=900)
    arguments = parser.parse_args()
    drawn = cohort(arguments.out / "pixels", arguments.exams, arguments.seed)
    rows = [replace(row, split="test") for row in drawn]
    judged = []
    for trained in arguments.runs:
        judged.append({**judge(arguments.out, trained, rows), "seed": arguments.seed, "exams": arguments.exams})
        print(json.dumps(judged[-1]), flush=True)
    (arguments.out / "judged.json").write_text(json.dumps(judged, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
