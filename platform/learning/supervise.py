"""Watch over one `python -m ml` child: start it, read its events, cancel it, and say how it ended. Knows no table.

The child's standard input is a pipe that we hold: when we are gone, however, it reads the end of the file, writes a
checkpoint and leaves, so a killed worker leaves no orphan.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import ml
from learning.errors import ChildStalled
from ml.runs.events import read_events

Event = Mapping[str, Any]
LOG_BYTES = 50 << 20
#: What a child may know of our environment. Secrets, database and broker are not in it.
ALLOWED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT", "CUDA_HOME")


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds; shorter in tests."""

    poll: float = 1.0
    cancel_file: float = 30.0
    sigterm: float = 20.0
    #: The whole worker must be gone in 20 s when it is stopped.
    give_back: float = 14.0
    #: A heart that stops beating for so long belongs to a process that hangs: it is ended and tried again.
    frozen: float = 300.0
    #: The same before its first beat: loading the libraries takes minutes on a busy machine.
    starting: float = 900.0
    #: It lives and has made no step for so long: somebody is told, for it may still be right.
    still: float = 1800.0


PATIENCE = Patience()


class Watch(Protocol):
    """What the supervisor tells, and asks."""

    def events(self, new: list[Event]) -> None:
        """New events, in order."""

    def check(self) -> None:
        """Raises to stop the child: see `Stop`."""

    def still(self, seconds: float, where: str) -> None:
        """The child lives and has not moved for so long; told once for each stand-still."""


class StopChild(Exception):
    """Raised by `Watch.check`: how to stop the child, and what to raise afterwards."""

    def __init__(self, how: str, then: Exception) -> None:
        assert how in ("cancel", "give_back", "kill")
        super().__init__(how)
        self.how, self.then = how, then


def environment(*, threads: int, gpu: int | None) -> dict[str, str]:
    """The child's environment: an allow-list, our source root, threads fixed before torch is imported.

    Two threads on two busy cores are slower than one, and idle threads must sleep, not spin: PASSIVE.
    """
    root = Path(ml.__file__).resolve().parent.parent
    env = {name: os.environ[name] for name in ALLOWED if name in os.environ}
    env |= {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    env |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    env["CUDA_VISIBLE_DEVICES"] = "" if gpu is None else str(gpu)
    return env


def command_line(command: str, run_dir: Path | str) -> list[str]:
    """The exact command that a person can run as well (without `--supervised`, which reads the pipe)."""
    return ["python", "-m", "ml", command, str(run_dir)]


def supervise(
    command: str,
    run_dir: Path,
    watch: Watch,
    *,
    env: Mapping[str, str],
    patience: Patience = PATIENCE,
    offset: int = 0,
) -> int:
    """Run the child to its end; its exit code (negative: the signal that killed it).

    `offset` is the byte of `events.jsonl` up to which events are known already. Raises what `StopChild.then` says
    after the child is gone.
    """
    (run_dir / "control" / "cancel").unlink(missing_ok=True)  # of an earlier attempt
    log = run_dir / "logs" / "stdout.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    reader = _Events(run_dir / "events.jsonl", watch, offset)
    pulse = _Pulse(run_dir / "heartbeat.json", watch, patience)
    with log.open("ab") as out, _child(command, run_dir, env, out) as child:
        try:
            while child.poll() is None:
                reader.poll()
                watch.check()
                pulse.feel(reader.offset)
                _cap(log)
                _wait(child, patience.poll)
        except StopChild as order:
            _stop(child, order.how, run_dir, patience)
            reader.poll()
            raise order.then from None
        reader.poll()
        return child.returncode


@dataclass
class _Events:
    path: Path
    watch: Watch
    offset: int

    def poll(self) -> None:
        """Hand on the whole lines that came since the last time; a torn last line waits."""
        new, self.offset = read_events(self.path, self.offset)
        if new:
            self.watch.events(list(new))


@dataclass
class _Pulse:
    """Whether the child moves, by its heartbeat and its events: a stall has no exit code."""

    path: Path
    watch: Watch
    patience: Patience

    def __post_init__(self) -> None:
        self.beat, self.place = self._read(), ("", 0, 0)
        self.beat_at = self.moved_at = monotonic()
        self.told, self.begun = False, False

    def _read(self) -> Mapping[str, Any]:
        # Replaced as a whole by the child, so what is there is whole; before its first beat there is none.
        try:
            found: Mapping[str, Any] = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def feel(self, offset: int) -> None:
        """Look once. Raises StopChild where the process hangs."""
        now, beat = monotonic(), self._read()
        if beat != self.beat:
            self.beat, self.beat_at, self.begun = beat, now, True
        place = (str(beat.get("stage", "")), int(beat.get("step", 0)), offset)
        if place != self.place:
            self.place, self.moved_at, self.told = place, now, False
        if now - self.beat_at > (self.patience.frozen if self.begun else self.patience.starting):
            raise StopChild("kill", ChildStalled(seconds=round(now - self.beat_at), stage=place[0], step=place[1]))
        if now - self.moved_at > self.patience.still and not self.told:
            self.told = True
            self.watch.still(now - self.moved_at, f"{place[0] or 'start'}, step {place[1]}")


@contextlib.contextmanager
def _child(command: str, run_dir: Path, env: Mapping[str, str], out: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The child in a session of its own; whatever happens here, it does not outlive the block."""
    arguments = [sys.executable, *command_line(command, run_dir)[1:], "--supervised"]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell, a folder named by our id
        arguments,
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=subprocess.STDOUT,
        env=dict(env),
        cwd=env["PYTHONPATH"],
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            _signal(child, signal.SIGKILL)
        child.wait()
        if child.stdin:
            child.stdin.close()


def _stop(child: subprocess.Popen[bytes], how: str, run_dir: Path, patience: Patience) -> None:
    if how == "cancel":
        (run_dir / "control").mkdir(exist_ok=True)
        (run_dir / "control" / "cancel").write_text("cancelled by a person\n")
        if _wait(child, patience.cancel_file):
            return
        _signal(child, signal.SIGTERM)
        if _wait(child, patience.sigterm):
            return
    elif how == "give_back" and child.stdin:
        child.stdin.close()  # end of file: checkpoint and leave
        if _wait(child, patience.give_back):
            return
    _signal(child, signal.SIGKILL)
    child.wait()


def _wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """True when the child ended in time."""
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _cap(log: Path) -> None:
    """Keep the first half of a log that runs away: how it began tells more than the millionth line."""
    if log.stat().st_size > LOG_BYTES:
        os.truncate(log, LOG_BYTES // 2)
