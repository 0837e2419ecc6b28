"""environment.json: what is needed to run it again, or to know why it came out otherwise."""

import os
import platform
import re
import subprocess
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import ml
from ml.runs import versions
from ml.training.device import Machine
from ml.training.making import peak_ram_mb

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "safetensors",
    "pydicom",
    "imagecodecs",
    "pillow",
)


@cache
def code_version() -> str:
    """Commit of the checkout, `+dirty` where it was changed; without git, a hash of the learner's own source."""
    root = Path(ml.__file__).resolve().parent
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        return commit[:12] + ("+dirty" if _git(root, "status", "--porcelain", "--", "ml") else "")
    digest = sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"source-{digest.hexdigest()[:12]}"


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=root.parent, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def environment(machine: Machine, *, seed: int, deterministic: bool, extra: dict[str, Any]) -> dict[str, Any]:
    """The record; `extra` holds hashes, times, batch sizes and the report on loaded weights."""
    gpu = torch.cuda.get_device_properties(machine.device) if machine.cuda else None
    return {
        "schema": versions.tag("environment"),
        "code_version": code_version(),
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "torch_build": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if machine.cuda else None,
        "gpu": gpu.name if gpu else None,
        "driver": driver_version() if machine.cuda else None,
        "threads": torch.get_num_threads(),
        "processes": machine.ranks.size,
        "device": str(machine.device),
        "precision": machine.precision,
        "seed": seed,
        "deterministic": deterministic,
        "peak_gpu_mb": machine.memory_mb,
        "peak_ram_mb": peak_ram_mb(),
        **extra,
    }


def cpu_name(told: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model where the system tells it, else its architecture."""
    named = re.search(r"^model name\s*:\s*(.+)$", _text(told), re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def driver_version(told: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """The version of the NVIDIA kernel module; None where the system does not tell it."""
    named = re.search(r"Kernel Module\b.*?\s(\d+(?:\.\d+)+)", _text(told))
    return named[1] if named else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
