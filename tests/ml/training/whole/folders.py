"""Run folders on phantoms of two kinds of breast, runs on them here or in a child, and what they left."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ml.runs.events import read_events
from ml.runs.manifest import Density, Finding, ManifestRow, Mark
from ml.training.run import run as run_folder

ROOT = Path(__file__).resolve().parents[4]
PATHS = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "OMP_NUM_THREADS": "1"}


def a_breast(n: int) -> np.ndarray:
    """Half an ellipse at the left edge, brighter for each density class, with a bright disc in every odd image."""
    rng = np.random.default_rng(n)
    y, x = np.mgrid[:160, :120] + 0.5
    inside = ((y - 80) / 70) ** 2 + (x / 90) ** 2 < 1
    picture = inside * (0.3 + 0.12 * (n % 4) * (x > 40) + 0.05 * rng.random((160, 120)))
    if n % 2:
        picture[np.hypot(x - 40, y - 80) < 12] = 1.0
    return (picture * 4000).astype(np.uint16)


def row(n: int, folder: Path, split: str, **fields) -> ManifestRow:
    path = folder / f"{n}.npy"
    np.save(path, a_breast(n))
    mark = Mark(mark_id=f"m{n}", kind="circle", geometry=[40.0, 80.0, 12.0])
    base = {
        "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}", "laterality": "R", "view": "MLO",
        "rows": 160, "cols": 120, "pixel_path": path.name, "pixel_format": "npy",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "spacing_mm": (1.0, 1.0), "spacing_source": "user",
        "presentation": "for_presentation", "split": split,
        "density": Density(label="ABCD"[n % 4]) if split != "pool" else None,
        "findings": (Finding(finding_id=f"f{n}", type="mass", marks=(mark,)),) if n % 2 and split != "pool" else (),
        "complete": split != "pool",
    }  # fmt: skip
    return ManifestRow(**{**base, **fields})


def start(run: Path, command="train", *extra: str) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "ml", command, str(run), *extra]
    return subprocess.Popen(arguments, env=ENV, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def ml(run: Path, command="train") -> int:
    return int(run_folder(run, command=command))


def events_of(run: Path):
    return read_events(run / "events.jsonl")[0]


def wait_for(run: Path, kind: str, child, count=1):
    deadline = time.monotonic() + 60
    while sum(event["type"] == kind for event in events_of(run)) < count:
        assert child.poll() is None, child.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a condition is waited for, not a time


def weights_of(run: Path):
    return load_file(run / "model" / "weights.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
