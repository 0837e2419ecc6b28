"""events.jsonl: what a run says while it works. One writer, any number of readers that poll.

Every line is `{"v": 1, "seq": n, "t": time, "type": ...}` and the fields of its type; `seq` starts at 1, grows by
1 and goes on after a resume. Types: started, stage_started, weights_loaded, stage_finished, progress, metric,
checkpoint, warning, resource, finished, cancelled, failed. A reader stores and ignores a type that it does not know.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 64 * 1024
PROGRESS_EVERY_SECONDS = 2.0
MAX_SAME_WARNING = 20


def now_text() -> str:
    """Now, RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventWriter:
    """Appends events; safe to call from several threads. `listener` is given each of them once it is written."""

    def __init__(self, path: Path, listener: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._warned: Counter[str] = Counter()
        self._last_progress = -1e9
        self.seq = _mend_tail(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, kind: str, **fields: Any) -> None:
        """Append one event in one write, so that a reader sees whole lines."""
        with self._lock:
            self.seq += 1
            event = {"v": 1, "seq": self.seq, "t": now_text(), "type": kind, **fields}
            os.write(self._descriptor, _line(event))
            if self._listener is not None:
                self._listener(event)

    def progress_due(self) -> bool:
        """True when `progress` would write: look before computing what it costs to know."""
        return time.monotonic() - self._last_progress >= PROGRESS_EVERY_SECONDS

    def progress(self, **fields: Any) -> bool:
        """A `progress` event, at most one per 2 s; True if it was written."""
        if not self.progress_due():
            return False
        self._last_progress = time.monotonic()
        self.write("progress", **fields)
        return True

    def warning(self, code: str, text: str, example: str | None = None) -> None:
        """A `warning` event; the same code is written at most 20 times and counted after that."""
        self._warned[code] += 1
        if self._warned[code] <= MAX_SAME_WARNING:
            self.write("warning", code=code, text=text, count=self._warned[code], example=example)

    @property
    def warned(self) -> dict[str, int]:
        """How often each code was warned of so far, also where it was no longer written."""
        return dict(sorted(self._warned.items()))

    def close(self) -> None:
        """Write the counts that `warning` held back, and close."""
        for code, count in self._warned.items():
            if count > MAX_SAME_WARNING:
                self.write("warning", code=code, text="seen more often", count=count, example=None)
        self._warned.clear()
        os.close(self._descriptor)


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Whole lines from byte `offset` on, and the offset to go on from. A torn last line is left for the next poll."""
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.strip()], offset + len(whole)


def _line(event: dict[str, Any]) -> bytes:
    line = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    if len(line) <= MAX_LINE_BYTES:
        return line
    short = {key: value for key, value in event.items() if len(json.dumps(value)) <= 8 * 1024}
    return json.dumps({**short, "cut": True}, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _mend_tail(path: Path) -> int:
    """Cut a torn last line off; the `seq` of the last whole one (0 for a new file)."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    return int(json.loads(last)["seq"]) if last else 0
