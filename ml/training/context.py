"""Run: what every command works on, once the folder is locked and its data are checked."""

import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field

from ml.methods.spec import MethodSpec
from ml.runs.folder import RunFolder
from ml.runs.manifest import ManifestMeta, ManifestRow
from ml.runs.request import Request
from ml.training.device import Machine
from ml.training.flagged import Flagged
from ml.training.loop import Watch


@dataclass(frozen=True)
class Run:
    """A run that has its lock, its data and its machine.

    undetermined: the operations so far of which PyTorch said that they may come out otherwise the next time.
    flagged: what preparation flagged so far.
    """

    folder: RunFolder
    request: Request
    meta: ManifestMeta
    rows: list[ManifestRow]
    method: MethodSpec
    machine: Machine
    watch: Watch
    began: float
    undetermined: Set[str] = frozenset()
    flagged: Flagged = field(default_factory=Flagged)

    def warn(self, code: str, text: str, example: str | None = None) -> None:
        """A `warning` event."""
        self.watch.events.warning(code, text, example)

    def teller(self, stage: str, total: int) -> Callable[[int], None]:
        """A function that turns "n are done" into progress events."""
        began = time.monotonic()

        def told(done: int) -> None:
            seconds = time.monotonic() - began
            self.watch.heartbeat.step = done
            self.watch.events.progress(
                stage=stage, step=done, planned_steps=total, epoch=0, seconds=round(seconds, 1), lr=None, loss=None,
                images_per_s=round(done / max(seconds, 1e-6), 1), eta_s=round((total - done) * seconds / done),
                gpu_mem_mb=self.machine.memory_mb,
            )  # fmt: skip

        return told
