"""All methods on real data beside the baselines.

python bench/methods/table.py [--data ../shared/data] [--method NAME...] [--column NAME...] [--again]
python bench/methods/table.py --list      which cells are there

A cell is a column (`columns.py`) and a method: cross-validated by patient with `data.folds`, the folds told as one by
`python -m ml evaluate --merge`. What it comes to goes to bench/methods/results/<column>--<method>.json: the figure with
its interval, the baselines, the paired differences, seconds and settings. A cell that is there is not run again; a fold
that was interrupted goes on from its checkpoint under --work; columns that differ by their figure alone share folds. A
method that the data do not suit says so in its cell. `make docs` makes docs/methods-table.md of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.methods.columns import COLUMNS, Column, cells
from bench.methods.page import RESULTS, cell_text, measured, path_of
from ml.runs.catalogue import entry
from ml.runs.request import Compute, Data, EvaluationOptions, Request, Target, write_request

ROOT = Path(__file__).resolve().parents[2]
REPLICATES, FOLD_REPLICATES = 500, 20


def run_cells(column: Column, method: str, data: Path, work: Path, seed: int) -> dict[str, dict[str, Any]]:
    """Train each fold in a child, tell them as one; the cells of all columns that ask for this training, by name."""
    asking = [other for other in COLUMNS if other.training == column.training]
    began = time.monotonic()
    folder = work / f"{column.name}--{method}"
    folds = [folder / f"fold{k}" for k in range(column.folds)]
    for k, fold in enumerate(folds):
        _prepared(fold, column, method, data, work, seed, k)
        done = _python("-m", "ml", "train", str(fold))
        if done.returncode:
            why = {"refuses": _why(fold, done.stderr)}
            return {other.name: {**why, **_settings(other, method, seed)} for other in asking}
    shutil.rmtree(folder / "merged", ignore_errors=True)
    merged = _python(
        "-m", "ml", "evaluate", "--merge", *map(str, folds), "--out", str(folder / "merged"),
        "--bootstrap", str(REPLICATES),
    )  # fmt: skip
    if merged.returncode:
        raise RuntimeError(merged.stderr[-1000:])
    metrics = json.loads((folder / "merged" / "metrics.json").read_text())["metrics"]
    spent = {"seconds": sum(_seconds(fold) for fold in folds), "wall_seconds": round(time.monotonic() - began)}
    found = {other.name: {**figures(metrics, other), **spent, **_settings(other, method, seed)} for other in asking}
    for fold in folds:  # what was told of them as one stays, in case another figure is wanted
        shutil.rmtree(fold, ignore_errors=True)
    return found


def _prepared(fold: Path, column: Column, method: str, data: Path, work: Path, seed: int, k: int) -> None:
    if (fold / "request.json").exists():
        return
    fold.mkdir(parents=True, exist_ok=True)
    made = _python("-m", "ml", "manifest", column.dataset, str(data / column.dataset), str(fold), "--seed", str(seed))
    if made.returncode:
        raise RuntimeError(made.stderr[-1000:])
    about = entry(method)
    target = Target(kind=column.target) if column.target else None
    write_request(fold, Request(
        run_id=fold.name, method=method, size="tiny", task=column.task,
        findings=column.findings or tuple(about["findings"]), target=target, seed=seed,
        data=Data(folds=column.folds, fold=k, image_kinds=column.kinds),
        # Of a fold by itself nothing is told: its intervals are for nobody.
        pixels={"cache_dir": str((work / "cache").resolve())}, evaluation=EvaluationOptions(bootstrap=FOLD_REPLICATES),
        config=dict(column.config), compute=Compute(device="cpu", threads=1),
    ))  # fmt: skip


def figures(metrics: Sequence[Mapping[str, Any]], column: Column) -> dict[str, Any]:
    """The column's figure, each baseline and each difference. Raises KeyError where there is none."""
    there = {row["level"] for row in metrics if row["metric"] == column.metric}
    level = column.level if column.else_level is None or column.level in there else column.else_level
    rows = [
        row for row in metrics
        if (row["metric"], row["level"], row["split"]) == (column.metric, level, "test")
        and row["subgroup"] is None and row["target"] == (column.row or row["target"])
        and row["name"].endswith(column.metric + column.variant)
    ]  # fmt: skip
    if not rows:
        names = sorted({(r["target"], r["level"], r["metric"]) for r in metrics if r["subgroup"] is None})
        raise KeyError(f"no {column.metric} at level {level}; there is {names}")

    def told(row: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": row["value"], "ci": row["ci"], "reason": row.get("reason")}

    own = next(row for row in rows if row["series"] == "model")
    return {
        "value": own["value"], "ci": own["ci"], "reason": own.get("reason"), "patients": own["n_patients"],
        "level": level,
        "baselines": {row["baseline"]: told(row) for row in rows if row["series"] == "baseline"},
        "differences": {row["baseline"]: told(row) for row in rows if row["series"] == "difference"},
    }  # fmt: skip


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


def _why(fold: Path, said: str) -> str:
    """What the run said when it would not go on."""
    events = fold / "events.jsonl"
    lines = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
    failed = next((line for line in reversed(lines) if line["type"] == "failed"), None)
    if failed is None or failed["exit_code"] not in (2, 3):
        raise RuntimeError(said[-1000:])  # not a refusal: a fault, which must not be written down as one
    return str(failed["text"])


def _seconds(fold: Path) -> float:
    return float(json.loads((fold / "environment.json").read_text())["seconds"])


def _settings(column: Column, method: str, seed: int) -> dict[str, Any]:
    return {
        "column": column.name, "method": method, "dataset": column.dataset, "task": column.task, "size": "tiny",
        "folds": column.folds, "seed": seed, "metric": column.metric + column.variant,
        "date": datetime.now(UTC).date().isoformat(), "torch": version("torch"), "cores": os.cpu_count(),
    }  # fmt: skip


def main() -> int:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public sets")
    parser.add_argument("--method", nargs="+")
    parser.add_argument("--column", nargs="+", choices=[column.name for column in COLUMNS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="run what is there, too")
    parser.add_argument("--list", action="store_true", help="only say what is there")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mammoloop-bench")
    arguments = parser.parse_args()
    failed, told = 0, []
    for column, method in cells():
        if (arguments.method and method not in arguments.method) or (
            arguments.column and column.name not in arguments.column
        ):
            continue
        if arguments.list:
            print(f"{column.name} {method}: {cell_text(measured(column, method))}")
        there = measured(column, method) is not None and not arguments.again
        if arguments.list or there or (column.training, method) in told:
            continue
        try:
            found = run_cells(column, method, arguments.data.resolve(), arguments.work, arguments.seed)
        except (RuntimeError, KeyError) as error:
            failed += 1
            print(f"{column.name} {method}: {error}", file=sys.stderr, flush=True)
            continue
        RESULTS.mkdir(parents=True, exist_ok=True)
        for name, cell in found.items():
            path_of(name, method).write_text(json.dumps(cell, indent=1) + "\n")
            print(f"{name} {method}: {cell_text(cell)}", flush=True)
        told.append((column.training, method))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
