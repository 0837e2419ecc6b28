"""heartbeat.json: that the process lives and where it is, replaced every 5 s by a thread."""

import os
import socket
import threading
from pathlib import Path
from typing import Any

from ml.runs import atomic
from ml.runs.events import now_text

EVERY_SECONDS = 5.0


def boot_id() -> str | None:
    """Identity of this start of the machine, so that a recorded pid is not mistaken after a reboot."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else None


class Heartbeat:
    """Context manager; set `stage` and `step` while it beats."""

    def __init__(self, run_dir: Path, every_seconds: float = EVERY_SECONDS) -> None:
        self.path, self.every, self.stage, self.step = run_dir / "heartbeat.json", every_seconds, "", 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._fixed: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname(), "boot_id": boot_id()}

    def beat(self) -> None:
        """Write the file once."""
        atomic.write_json(self.path, {"t": now_text(), **self._fixed, "stage": self.stage, "step": self.step})

    def _run(self) -> None:
        while not self._stop.wait(self.every):
            self.beat()

    def __enter__(self) -> "Heartbeat":
        self.beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=self.every)
