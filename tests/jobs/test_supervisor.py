"""The supervisor starts, watches and ends real processes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.supervisor import NotReady, ProcessSpec, Supervisor, end_leftovers, start_time

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)",
]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return start_time(pid) is None or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_children_start_in_order_and_all_are_gone_after_the_stop(tmp_path: Path) -> None:
    said: list[str] = []
    specs = [ProcessSpec("one", SLEEP), ProcessSpec("two", SLEEP, stop_order=1)]
    supervisor = Supervisor(specs, folder=tmp_path, say=said.append)
    supervisor.start()
    pids = [child.pid for child in supervisor.children.values()]
    assert len(json.loads((tmp_path / "processes.json").read_text())) == 2
    supervisor.stop()
    assert all(gone(pid) for pid in pids) and not (tmp_path / "processes.json").exists() and said == []


def test_a_child_that_ignores_the_signal_is_killed_in_its_time(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "deaf.log"
    spec = ProcessSpec("deaf", DEAF, ready=lambda: log.exists() and log.read_text() == "1\n", stop_seconds=0.3)
    supervisor = Supervisor([spec], folder=tmp_path, say=lambda _: None)
    supervisor.start()
    pid = supervisor.children["deaf"].pid
    supervisor.stop()
    assert gone(pid)


def test_a_child_that_ends_at_its_start_is_named(tmp_path: Path) -> None:
    spec = ProcessSpec("broken", [sys.executable, "-c", "raise SystemExit(3)"], ready=lambda: False)
    supervisor = Supervisor([spec], folder=tmp_path, say=lambda _: None)
    with pytest.raises(NotReady, match="broken ended with 3"):
        supervisor.start()
    supervisor.stop()


def test_what_a_killed_supervisor_left_is_ended_and_a_stranger_with_the_same_pid_is_not(tmp_path: Path) -> None:
    left = subprocess.Popen(SLEEP, start_new_session=True)
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    rows = [
        {"name": "left", "pid": left.pid, "start": start_time(left.pid)},
        {"name": "reused", "pid": stranger.pid, "start": "1"},
    ]
    (tmp_path / "processes.json").write_text(json.dumps(rows))
    try:
        assert end_leftovers(tmp_path) == ["left"]
        assert left.wait(timeout=20) == -signal.SIGKILL and stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    import threading

    said: list[str] = []
    supervisor = Supervisor([ProcessSpec("one", SLEEP)], folder=tmp_path, say=said.append)
    supervisor.start()
    first = supervisor.children["one"]
    watcher = threading.Thread(target=supervisor.watch)
    watcher.start()
    first.kill()
    until(lambda: supervisor.children["one"].pid != first.pid)
    supervisor.stopping.set()
    watcher.join(timeout=20)
    supervisor.stop()
    assert "started again" in said[0]
