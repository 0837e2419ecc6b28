"""Runs a list of processes as children of one: start in order, watch, restart, end in order.

Children live in sessions of their own, so that Ctrl-C reaches the supervisor alone and each child is told in its turn.
What was started is written down with pid and start time: a supervisor that was killed leaves a list by which the next
one ends the leftovers, and never a process that got the same pid later.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESTART_SECONDS = (0.5, 2, 5, 15)
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ProcessSpec:
    """One child: what runs, when it counts as ready, when and how it is ended."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 60
    #: Lower numbers end first; equal ones together.
    stop_order: int = 0
    stop_seconds: float = 5


class NotReady(Exception):
    """A child did not become ready, or ended before it was."""


def start_time(pid: int) -> str | None:
    """When a process started, in the kernel's own count; None where there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _start_time_by_ps(pid)


def _start_time_by_ps(pid: int) -> str | None:
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


class Supervisor:
    """Runs children until it is told to stop."""

    def __init__(self, specs: Sequence[ProcessSpec], *, folder: Path, say: Callable[[str], None]) -> None:
        self.specs, self.say = list(specs), say
        self.logs = folder / "logs"
        self.ledger = folder / "processes.json"
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.failures: dict[str, int] = {}
        self.stopping = threading.Event()

    def start(self, specs: Sequence[ProcessSpec] | None = None) -> None:
        """Start children (default: all) in order, then wait until each is ready. Raises NotReady; then call stop()."""
        self.logs.mkdir(parents=True, exist_ok=True)
        wanted = self.specs if specs is None else list(specs)
        for spec in wanted:
            self.start_one(spec)
        for spec in wanted:
            self._wait_ready(spec)

    def start_one(self, spec: ProcessSpec) -> None:
        with (self.logs / f"{spec.name}.log").open("ab") as log:
            self.children[spec.name] = subprocess.Popen(
                list(spec.argv), env={**os.environ, **spec.environment}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        self._write_ledger()

    def _wait_ready(self, spec: ProcessSpec) -> None:
        end = time.monotonic() + spec.ready_seconds
        while not spec.ready():
            if self.stopping.is_set():
                return
            code = self.children[spec.name].poll()
            if code is not None:
                raise NotReady(f"{spec.name} ended with {code} at its start; see {self.logs / (spec.name + '.log')}")
            if time.monotonic() > end:
                raise NotReady(f"{spec.name} was not ready in {spec.ready_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def watch(self) -> None:
        """Stay until told to stop; a child that ends is started again, later and later."""
        while not self.stopping.wait(POLL_SECONDS * 5):
            for spec in self.specs:
                code = self.children[spec.name].poll()
                if code is None:
                    continue
                failures = self.failures[spec.name] = self.failures.get(spec.name, 0) + 1
                pause = RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1]
                self.say(f"{spec.name} ended with {code}; started again in {pause:g} s")
                if self.stopping.wait(pause):
                    return
                self.start_one(spec)

    def stop(self) -> None:
        """End all children in stop order: SIGTERM, wait, then SIGKILL to what is left of each one's session."""
        for order in sorted({spec.stop_order for spec in self.specs}):
            group = [spec for spec in self.specs if spec.stop_order == order and spec.name in self.children]
            for spec in group:
                self._signal(spec, signal.SIGTERM)
            end = time.monotonic() + max((spec.stop_seconds for spec in group), default=0)
            for spec in group:
                self._reap(spec, end)
        self.ledger.unlink(missing_ok=True)

    def _signal(self, spec: ProcessSpec, what: signal.Signals) -> None:
        child = self.children[spec.name]
        if child.poll() is None:
            child.send_signal(what)

    def _reap(self, spec: ProcessSpec, end: float) -> None:
        child = self.children.pop(spec.name)
        try:
            child.wait(timeout=max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.say(f"{spec.name} did not end by itself")
        _kill_session(child.pid)
        child.wait()

    def handle_signals(self) -> None:
        """SIGINT and SIGTERM mean: stop. A second one changes nothing, the first is under way."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.stopping.set())

    def _write_ledger(self) -> None:
        rows = [
            {"name": name, "pid": child.pid, "start": start_time(child.pid)} for name, child in self.children.items()
        ]
        part = self.ledger.with_suffix(".part")
        part.write_text(json.dumps(rows))
        part.replace(self.ledger)


def _kill_session(leader: int) -> None:
    """End what is left in the session that a child of ours led; its pid cannot be taken while the session lives."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def end_leftovers(folder: Path) -> list[str]:
    """End what a killed supervisor left behind, by recorded pid and start time; the names of what was ended."""
    ledger = folder / "processes.json"
    if not ledger.exists():
        return []
    ended = []
    for row in json.loads(ledger.read_text() or "[]"):
        if row["start"] is not None and start_time(row["pid"]) == row["start"]:
            _kill_session(row["pid"])
            ended.append(row["name"])
    ledger.unlink()
    return ended
