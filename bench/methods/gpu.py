"""What a GPU makes of each method: images a second in each number format, memory, and how long it waits for data.

python bench/methods/gpu.py OUT.json [--method NAME...] [--size large] [--precision fp32 bf16] [--steps 20] [--exams 12]

Trains every gradient stage for a few steps on phantom exams, through the loop and the loader of a real run: what is
counted (`ml.training.pace`) begins with the fourth step, so that what is done once is left out. Phantoms are drawn at
0.4 mm and prepared to the size that a method wants; a mammogram of any resolution costs the same from there on.
Nothing is learned in so few steps, and no figure says how good a method is. Without a GPU it runs on the CPU, which
is how it is tried out, and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.methods.learning import exam_rows
from ml.methods import NAMES, get
from ml.methods.spec import MethodSpec
from ml.runs.cancel import StopRequest
from ml.runs.events import EventWriter
from ml.runs.folder import RunFolder
from ml.runs.heartbeat import Heartbeat
from ml.runs.manifest import ManifestRow, Outcome, write_manifest
from ml.runs.request import Compute, Request, write_request
from ml.training.checkpoints import Identity
from ml.training.commands import settled
from ml.training.context import Run
from ml.training.device import machine_for
from ml.training.environment import environment
from ml.training.fit import Job, fit
from ml.training.loop import Watch
from ml.training.views import all_views

NEVER_S = 3600.0


def phantoms(folder: Path, exams: int, workers: int) -> list[ManifestRow]:
    """Four views an exam, half of them with findings, all for training; every third exam has an outcome of cancer."""
    with ProcessPoolExecutor(workers) as pool:
        made = list(pool.map(exam_rows, [folder] * exams, range(exams), [0] * exams, ["train"] * exams))
    return [replace(row, outcome=Outcome(cancer=1 if n % 3 == 1 else 0)) for n, rows in enumerate(made) for row in rows]


def measured(
    method: MethodSpec, rows: Sequence[ManifestRow], images: Path, folder: Path, size: str, compute: Compute
) -> dict[str, Any]:
    """Stages of a method by name, each with what its report says of pace and memory."""
    folder.mkdir(parents=True)
    meta = write_manifest(folder, rows, pixels_root=images.resolve())
    request = Request(
        run_id=folder.name, method=method.name, size=size, compute=compute,
        pixels={"cache_dir": str((images / "cache").resolve())},
    )  # fmt: skip
    write_request(folder, request)
    run_folder = RunFolder(folder.resolve())
    with run_folder.locked(), Heartbeat(folder) as heartbeat:
        events = EventWriter(run_folder.events)
        watch = Watch(events, heartbeat, StopRequest(folder))
        machine = machine_for(request.compute)
        run = Run(run_folder, request, meta, list(rows), method, machine, watch, time.monotonic())
        try:
            config, aim, start = settled(run)
            reads, stages = method.reads(config, aim), method.stages(config, aim)
            views = all_views(run, config, aim, stages, reads, lambda total: lambda done: None)
            fitted = fit(
                Job(method, config, aim, request, views, machine, watch, start, Identity("pace", "pace"), folder),
                stages, reads,
            )  # fmt: skip
        finally:
            events.close()
    return {name: pace_of(own.report) for name, own in fitted.items() if "steps" in own.report}


def pace_of(report: dict[str, Any]) -> dict[str, Any]:
    """What of a stage's report is about its pace."""
    kept = ("batch", "micro_batch", "steps", "images_per_s", "waited_for_data", "gpu_mem_mb")
    return {name: report[name] for name in kept if name in report}


def main() -> int:
    """Measure what is asked for; one line for each stage, the whole in a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--method", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME")
    parser.add_argument("--size", default="large")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--exams", type=int, default=12)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {"methods": {}, "steps": arguments.steps, "size": arguments.size}
    with tempfile.TemporaryDirectory() as at:
        work = Path(at)
        rows = phantoms(work, arguments.exams, os.cpu_count() or 1)
        for name in arguments.method:
            for precision in arguments.precision:
                compute = Compute(
                    device=device, precision=precision, max_steps=arguments.steps, checkpoint_seconds=NEVER_S
                )
                found["machine"] = environment(machine_for(compute), seed=0, deterministic=False, extra={})
                began = time.monotonic()
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                try:
                    stages = measured(get(name), rows, work, work / f"{name}-{precision}", arguments.size, compute)
                except Exception as error:  # noqa: BLE001 the next method is measured whatever became of this one
                    stages = {"failed": {"why": f"{type(error).__name__}: {error}"[:300]}}
                    traceback.print_exc()
                found["methods"].setdefault(name, {})[precision] = stages
                for stage, figures in stages.items():
                    print(name, precision, stage, json.dumps(figures), f"{time.monotonic() - began:.0f} s", flush=True)
                arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
