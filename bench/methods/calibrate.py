"""What separates a method from a stub of it: train both on phantoms that need what is distinctive, write the figures.

python bench/methods/calibrate.py [METHOD...] [--seeds 0 1 2] [--again] [--list] [--work CALIBRATION]

For each learning check of `checks.py`: the true method and its stub with each seed, the trivial baseline once. Writes
tests/ml/calibration/<check>.json after every run, and goes on where it stood; a record that has changed is measured
anew. A check whose figures do not meet the rule is written down as not accepted, with the reasons, and its slow test
asserts nothing. Source of the rule: methods-17.md 3.18, steps 3 to 5.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.methods.checks import CHECKS, Check
from bench.methods.measures import MEASURES
from bench.methods.page import CALIBRATION, summary, values
from bench.methods.trivial import BASELINES
from bench.methods.worlds import Made, made
from ml.methods import get
from ml.methods.spec import MethodSpec
from ml.runs.cancel import StopRequest
from ml.runs.events import EventWriter
from ml.runs.folder import RunFolder
from ml.runs.heartbeat import Heartbeat
from ml.runs.manifest import write_manifest
from ml.runs.request import Compute, EvaluationOptions, Request, Target, write_request
from ml.training import commands
from ml.training.context import Run
from ml.training.device import machine_for
from ml.training.loop import Watch

ROOT = Path(__file__).resolve().parents[2]
LEAST_GAP = 0.10
LEAST_SEEDS = 2
BASELINE_BELOW = 0.65
NEAR_CHANCE = 0.15
LEAST_RANGE = 0.02
SPREADS = 3.0


def trained(run_dir: Path, world: Made, images: Path, check: Check, method: MethodSpec, config: Any, seed: int) -> Any:
    """Train a record that need not be in the registry, all the way to metrics; (figure, CPU seconds, all metrics)."""
    began = time.process_time()
    run_dir.mkdir(parents=True)
    meta = write_manifest(run_dir, world.rows, pixels_root=images.resolve())
    request = Request(
        run_id=run_dir.name, method=method.name, task=check.task, seed=seed, config=dict(config),
        target=Target(kind=check.target) if check.target else None,
        pixels={"cache_dir": str((images / "cache").resolve())}, compute=Compute(device="cpu", threads=1),
        evaluation=EvaluationOptions(splits=("test",), bootstrap=20),
    )  # fmt: skip
    write_request(run_dir, request)
    folder = RunFolder(run_dir.resolve())
    stop = StopRequest(folder.path, max_seconds=None)
    with folder.locked(), Heartbeat(folder.path) as heartbeat:
        events = EventWriter(folder.events)
        watch = Watch(events, heartbeat, stop)
        run = Run(folder, request, meta, world.rows, method, machine_for(request.compute), watch, time.monotonic())
        try:
            commands.train(run)
        finally:
            events.close()
    metrics = json.loads(folder.metrics.read_text())["metrics"]
    own = MEASURES.get(check.metric)
    value = round(own(run_dir, world), 4) if own else figure(metrics, check)
    return value, round(time.process_time() - began, 1), metrics


def figure(metrics: Sequence[Mapping[str, Any]], check: Check, series: str = "model") -> float:
    """The check's figure on the test phantoms; the best one of a series of baselines. Raises KeyError without it."""
    found = [
        row["value"]
        for row in metrics
        if (row["split"], row["metric"], row["series"], row["level"]) == ("test", check.metric, series, check.level)
        and row["subgroup"] is None
        and row["target"] == (check.row or row["target"])
        and row["name"].endswith(check.metric)  # not the variant on other images, whose name goes on
    ]
    if not found:
        names = sorted({(r["target"], r["level"], r["metric"]) for r in metrics if r["subgroup"] is None})
        raise KeyError(f"{check.name}: no {check.metric} at level {check.level}; there is {names}")
    known = [float(value) for value in found if value is not None]
    if not known:
        raise KeyError(f"{check.name}: {check.metric} is undefined")
    return round(max(known), 4)


def verdict(check: Check, true: Sequence[float], stub: Sequence[float], baseline: float) -> dict[str, Any]:
    """Threshold and whether the check is accepted, with the reasons where it is not (3.18 steps 4 and 5)."""
    rival = max(*stub, baseline)
    low, spread = min(true), max(max(true) - min(true), LEAST_RANGE)
    threshold = round((low + rival) / 2, 3)
    reasons = []
    if min(len(true), len(stub)) < LEAST_SEEDS:
        reasons.append("one seed says nothing of the spread")
    if low - rival < LEAST_GAP:
        reasons.append(f"the gap is {low - rival:.3f}, less than {LEAST_GAP:.2f}")
    most = BASELINE_BELOW if check.chance is None else check.chance + NEAR_CHANCE
    if baseline >= most:
        reasons.append(f"the baseline is {baseline:.3f}, not under {most:.2f}")
    if threshold > low - SPREADS * spread:
        reasons.append(f"the spread over seeds, {spread:.3f}, is too wide for the gap of {low - rival:.3f}")
    return {"threshold": threshold, "accepted": not reasons, "reasons": reasons}


def record_of(check: Check) -> dict[str, Any]:
    """What a check is made of, as it stands in its file; figures of another record are not its own."""
    names = ("task", "target", "metric", "level", "row", "config", "stub_config", "stub_is", "baseline", "chance")
    plain = {name: getattr(check, name) for name in names}
    document: dict[str, Any] = json.loads(json.dumps({**plain, "phantoms": asdict(check.phantoms)}))
    return document


def read(check: Check) -> dict[str, Any] | None:
    """The committed figures of a check as it now is; None where there are none."""
    path = CALIBRATION / f"{check.name}.json"
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text())
    return document if document["check"] == record_of(check) else None


def write(check: Check, document: dict[str, Any]) -> None:
    CALIBRATION.mkdir(parents=True, exist_ok=True)
    (CALIBRATION / f"{check.name}.json").write_text(json.dumps(document, indent=1) + "\n")


def fresh(check: Check) -> dict[str, Any]:
    """A file without figures yet."""
    return {"name": check.name, "method": check.method, "check": record_of(check), "runs": [], "baselines": {}}


def calibrate(check: Check, seeds: Sequence[int], work: Path, *, again: bool = False) -> dict[str, Any]:
    """Measure what is missing; the file as it then is."""
    document = (None if again else read(check)) or fresh(check)
    work = work / f"{check.name}-{hashlib.sha256(json.dumps(record_of(check)).encode()).hexdigest()[:8]}"
    images = work / "images"
    world = made(images, check.phantoms)
    method = get(check.method)
    sides = {
        "true": (check.true(method), check.config),
        "stub": (check.stub(method), {**check.config, **check.stub_config}),
    }
    for seed in seeds:
        for side, (spec, config) in sides.items():
            if any((run["side"], run["seed"]) == (side, seed) for run in document["runs"]):
                continue
            run_dir = work / f"{side}-{seed}"
            shutil.rmtree(run_dir, ignore_errors=True)
            value, seconds, metrics = trained(run_dir, world, images, check, spec, config, seed)
            document["runs"].append({"side": side, "seed": seed, "value": value, "seconds": seconds})
            _baselines(document, check, world, metrics)
            _judge(document, check)
            document |= _about()
            write(check, document)
            print(f"{check.name} {side} seed {seed}: {check.metric} {value:.3f}, {seconds:.0f} s", flush=True)
            shutil.rmtree(run_dir, ignore_errors=True)
    _judge(document, check)
    write(check, document)
    print(f"{check.name}: {summary(document)}", flush=True)
    return document


def _baselines(document: dict[str, Any], check: Check, world: Made, metrics: Any) -> None:
    """The trivial baseline that the check names: of its own, or one of those that `evaluate` reports."""
    if not document["baselines"]:
        own = BASELINES.get(check.baseline)
        value = own(world, check.metric) if own else figure(metrics, check, series="baseline")
        document["baselines"] = {check.baseline: round(float(value), 4)}


def _judge(document: dict[str, Any], check: Check) -> None:
    true, stub = (values(document, side) for side in ("true", "stub"))
    if true and stub:
        document |= verdict(check, true, stub, max(document["baselines"].values()))


def _about() -> dict[str, Any]:
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "revision": revision.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> int:
    """Calibrate what is asked for, all checks without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", nargs="*", help="method or check; all where none is named")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: those of the check")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument("--list", action="store_true", help="what is there, and no run")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mammoloop-calibrate")
    arguments = parser.parse_args()
    chosen = [check for check in CHECKS if not arguments.check or {check.name, check.method} & set(arguments.check)]
    if not chosen:
        parser.error(f"no check of {', '.join(arguments.check)}; there is {', '.join(c.name for c in CHECKS)}")
    torch.set_num_threads(1)
    failed = 0
    for check in chosen:
        if arguments.list:
            print(f"{check.name}: {summary(read(check) or fresh(check))}")
            continue
        try:
            calibrate(check, arguments.seeds or check.seeds, arguments.work, again=arguments.again)
        except Exception as error:
            failed += 1
            print(f"{check.name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            if os.environ.get("TRACEBACK"):
                raise
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
