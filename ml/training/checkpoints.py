"""Checkpoints of a stage: `last`, `prev` and `best`, each a folder that is there whole or not at all.

Weights are safetensors; `state.pt` holds the optimiser and counters and is read with `weights_only=True`. Random
numbers need no place here: every step seeds them from (seed, stage, step).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ml.runs import atomic
from ml.runs.errors import invalid

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to; another request or manifest may not continue it."""

    request_sha256: str
    manifest_sha256: str


def contiguous(weights: Weights) -> Weights:
    """Weights as safetensors accept them: on the CPU, in row-major memory."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def save(folder: Path, *, stage: str, step: int, weights: Weights, state: dict[str, Any], identity: Identity) -> None:
    """Write `last`, keeping the one before as `prev`."""
    last, prev = folder / "last", folder / "prev"
    if atomic.settled(last).exists():
        atomic.replace_folder(prev, lambda fresh: _copy(atomic.settled(last), fresh))
    _write(last, stage, step, weights, state, identity)


def save_best(folder: Path, *, stage: str, step: int, weights: Weights, identity: Identity) -> None:
    """Write `best`: weights alone."""
    _write(folder / "best", stage, step, weights, {}, identity)


def _copy(source: Path, target: Path) -> None:
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())


def _write(path: Path, stage: str, step: int, weights: Weights, state: dict[str, Any], identity: Identity) -> None:
    def fill(fresh: Path) -> None:
        save_file(contiguous(weights), fresh / "model.safetensors")
        torch.save(state, fresh / "state.pt")
        hashes = {name: atomic.sha256_of(fresh / name) for name in ("model.safetensors", "state.pt")}
        document = {"stage": stage, "step": step, "files": hashes, **identity.__dict__}
        (fresh / "checkpoint.json").write_text(json.dumps(document))

    atomic.replace_folder(path, fill)


def load_newest(folder: Path, identity: Identity) -> tuple[int, Weights, dict[str, Any]] | None:
    """(step, weights, state) of the newest of `last` and `prev` that is whole; None where there is none.

    Raises RunRefused (exit 2, `changed_inputs`) where it belongs to another request or manifest.
    """
    found = [loaded for name in ("last", "prev") if (loaded := _load(folder / name, identity)) is not None]
    return max(found, key=lambda item: item[0]) if found else None


def load_best(folder: Path, identity: Identity) -> Weights | None:
    """The best weights of a stage, if there are any."""
    loaded = _load(folder / "best", identity)
    return None if loaded is None else loaded[1]


def _load(path: Path, identity: Identity) -> tuple[int, Weights, dict[str, Any]] | None:
    path = atomic.settled(path)
    try:
        document = json.loads((path / "checkpoint.json").read_text())
        if any(atomic.sha256_of(path / name) != digest for name, digest in document["files"].items()):
            return None
    except (OSError, ValueError, KeyError):
        return None  # torn by a crash: the other one is whole
    if {key: document.get(key) for key in identity.__dict__} != identity.__dict__:
        raise invalid("changed_inputs", "the request or the manifest changed since the checkpoint was written")
    state = torch.load(path / "state.pt", weights_only=True, map_location="cpu")
    return document["step"], load_file(path / "model.safetensors"), state
