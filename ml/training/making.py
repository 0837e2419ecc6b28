"""How a model was made, as its card and environment.json tell it: what preparation flagged, and what it cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ml.runs.events import read_events
from ml.training.context import Run

KB_PER_MB = 1024
SECONDS_PER_HOUR = 3600
#: What a card says of a stage; environment.json has all of its report.
OF_STAGE = ("init", "steps", "planned_steps", "batch", "micro_batch", "samples", "seconds")


@dataclass(frozen=True, kw_only=True)
class Making:
    """run_id and the manifest's hash; stages: what was done in each; flagged: `Flagged.rates`; cost: `cost_of`."""

    run_id: str = ""
    manifest_sha256: str = ""
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flagged: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)


def making_of(run: Run, reports: Mapping[str, Mapping[str, Any]]) -> Making:
    """Of a training that is done; reports: by stage, as environment.json has them."""
    return Making(
        run_id=run.request.run_id,
        manifest_sha256=run.meta.sha256,
        stages={
            stage: {key: report[key] for key in OF_STAGE if key in report} for stage, report in reports.items()
        },
        flagged=run.flagged.rates(),
        cost=cost_of(run),
    )  # fmt: skip


def cost_of(run: Run) -> dict[str, Any]:
    """Time and memory so far. seconds: of all attempts; gpu_hours: those by the number of GPUs, 0 on a CPU."""
    machine = run.machine
    seconds, attempts = worked(read_events(run.folder.events)[0])
    return {
        "device": str(machine.device),
        "gpu": torch.cuda.get_device_name(machine.device) if machine.cuda else None,
        "processes": machine.ranks.size,
        "attempts": attempts,
        "seconds": round(seconds, 1),
        "gpu_hours": round(seconds * machine.ranks.size / SECONDS_PER_HOUR, 4) if machine.cuda else 0.0,
        "peak_gpu_mb": machine.memory_mb,
        "peak_ram_mb": peak_ram_mb(),
    }


def worked(events: Iterable[Mapping[str, Any]]) -> tuple[float, int]:
    """Seconds from the start of each attempt to the last that it said, and how many attempts there were."""
    seconds, attempts = 0.0, 0
    began: datetime | None = None
    last: datetime | None = None
    for event in events:
        now = datetime.fromisoformat(event["t"])
        if event["type"] == "started":
            seconds += (last - began).total_seconds() if began is not None and last is not None else 0.0
            began, attempts = now, attempts + 1
        last = now
    return seconds + ((last - began).total_seconds() if began is not None and last is not None else 0.0), attempts


def peak_ram_mb(status: Path = Path("/proc/self/status")) -> int | None:
    """Most main memory (MiB) that this process had at once, as Linux counts it; None elsewhere.

    Not `getrusage`: its figure outlives exec, and so is that of whoever started this process where that one was larger.
    """
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // KB_PER_MB for line in lines if line.startswith("VmHWM:")), None)
