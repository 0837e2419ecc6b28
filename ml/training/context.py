"""Run: what every command works on, once the folder is locked and its data are checked."""

from collections.abc import Set
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
