"""The ways in which a run is asked to end: a file, a signal, a supervisor that is gone, the time budget.

All of them only set a flag; the loop looks at step boundaries, leaves a checkpoint and exits 10 or 11. A second
SIGTERM ends at once (143).
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from ml.runs.exits import Exit

FILE_CHECK_SECONDS = 0.5


class Stopped(Exception):
    """The run was asked to end; `exit` is CANCELLED or TIME_BUDGET."""

    def __init__(self, exit_code: Exit, reason: str) -> None:
        super().__init__(reason)
        self.exit, self.reason = exit_code, reason


class StopRequest:
    """Listens for every way to be ended. `check()` is cheap enough for each step."""

    def __init__(self, run_dir: Path, *, max_seconds: float | None = None) -> None:
        self._file = run_dir / "control" / "cancel"
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self._reason: str | None = None
        self._next_look = 0.0

    def listen(self, *, supervised: bool) -> None:
        """Take SIGTERM and SIGINT; with `supervised`, treat the end of stdin as SIGTERM."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if supervised:
            threading.Thread(target=self._watch_stdin, name="stdin", daemon=True).start()

    def check(self) -> None:
        """Raises Stopped if the run was asked to end."""
        if self._reason is None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + FILE_CHECK_SECONDS
            if self._file.exists():
                self._reason = self._file.read_text(errors="replace")[:500] or "cancelled"
        if self._reason is not None:
            raise Stopped(Exit.CANCELLED, self._reason)
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise Stopped(Exit.TIME_BUDGET, "max_seconds reached")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._reason is not None and number == signal.SIGTERM:
            os._exit(128 + signal.SIGTERM)
        self._reason = self._reason or signal.Signals(number).name

    def _watch_stdin(self) -> None:
        # The supervisor holds the other end of the pipe; it ends when the supervisor does, however it dies.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self._reason = self._reason or "supervisor_gone"
