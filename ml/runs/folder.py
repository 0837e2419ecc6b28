"""RunFolder: the names of the files in a run folder, and its lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ml.runs import atomic
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def request(self) -> Path:
        return self.path / "request.json"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.jsonl"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def heartbeat(self) -> Path:
        return self.path / "heartbeat.json"

    @property
    def cancel(self) -> Path:
        return self.path / "control" / "cancel"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.jsonl"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.safetensors"

    @property
    def embeddings(self) -> Path:
        return self.path / "embeddings.safetensors"

    @property
    def explanations(self) -> Path:
        return self.path / "explanations"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def checkpoints(self, stage: str) -> Path:
        """Folder of a stage's checkpoints."""
        return self.path / "checkpoints" / stage

    def artefacts(self, stage: str) -> Path:
        """Folder of what a finished stage left."""
        return self.path / "artefacts" / stage

    def ask_to_cancel(self, reason: str) -> None:
        """Ask the learner to end at its next step (the caller's side)."""
        self.cancel.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(self.cancel, reason.encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process alone. Raises RunRefused (exit 12)."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunRefused(Exit.LOCKED, "locked", "another process holds this run folder") from None
            atomic.remove_leftovers(self.path)
            yield
        finally:
            os.close(descriptor)
