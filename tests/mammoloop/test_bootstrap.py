"""`make setup` on machines that lack something: one sentence, and nothing is touched."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.support.disks import can_make_small_disks, on_a_small_disk

SOURCE = Path(__file__).resolve().parents[2] / "platform" / "mammoloop" / "bootstrap.py"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A bare clone as far as setup looks at it; the script in it."""
    script = tmp_path / "clone" / "platform" / "mammoloop" / "bootstrap.py"
    script.parent.mkdir(parents=True)
    shutil.copy(SOURCE, script)
    return script


@pytest.fixture
def programs(tmp_path: Path) -> Callable[..., str]:
    """`programs(node="echo v18.19.0")`: a path on which only these programs are, each a line of shell."""

    def make(**lines: str) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, line in lines.items():
            (folder / name).write_text(f"#!/bin/sh\n{line}\n")
            (folder / name).chmod(0o755)
        return str(folder)

    return make


def refused(argv: Sequence[str], path: str) -> str:
    """Run a set-up that must not come to anything; the one sentence that it says."""
    done = subprocess.run(argv, env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("[setup] MammoLoop needs ")
    return line


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("echo v18.19.0", "needs Node 20 or newer, and this is v18.19.0."),
        ("echo v8.0.0", "needs Node 20 or newer, and this is v8.0.0."),
        ("exit 3", "does not say which it is."),
        ("echo hello", "does not say which it is."),
    ],
)
def test_a_node_that_is_too_old_is_named(clone: Path, programs: Callable[..., str], node: str, said: str) -> None:
    assert refused([sys.executable, str(clone)], programs(node=node, npm="exit 1")).endswith(said)
    assert not (clone.parents[2] / ".venv").exists()


def test_no_node_and_no_npm_are_said(clone: Path, programs: Callable[..., str]) -> None:
    said = "needs Node 20 or newer with npm, and none was found on the path."
    assert refused([sys.executable, str(clone)], programs(node="echo v22.1.0")).endswith(said)


def older_pythons() -> list[str]:
    """Real interpreters of this machine that are too old, where it has some."""
    places = [Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/3.*/bin")]
    found = [place / f"python3.{minor}" for place in places for minor in range(6, 11)]
    return [str(path) for path in found if path.exists()]


@pytest.mark.parametrize("python", older_pythons())
def test_a_python_that_is_too_old_says_so_itself(clone: Path, programs: Callable[..., str], python: str) -> None:
    line = refused([python, str(clone)], programs())
    assert "needs Python 3.11 or newer, and this is 3." in line and line.endswith("run make with PYTHON=python3.12.")


def test_the_version_is_looked_at_before_anything_else(clone: Path, programs: Callable[..., str]) -> None:
    """Also on machines that have no old Python: this one, which says that it is old."""
    code = f"import runpy, sys; sys.version_info = (3, 10, 4, 'final', 0); runpy.run_path({str(clone)!r})"
    assert "and this is 3.10.4: run make" in refused([sys.executable, "-c", code], programs())


def test_a_disk_that_is_too_full_is_named_with_what_is_left(clone: Path, programs: Callable[..., str]) -> None:
    if not can_make_small_disks():
        missing("a user namespace to mount a small disk in")
    root = clone.parents[2]
    path = f"{programs(node='echo v22.1.0', npm='exit 1')}{os.pathsep}{os.environ['PATH']}"
    line = refused(on_a_small_disk(root, [sys.executable, str(clone)]), path)
    assert line == f"[setup] MammoLoop needs 5 GB of free disk to install, and 0.1 GB are left in {root}."
    assert not (root / ".venv").exists()


def test_where_no_package_can_be_had_pip_s_own_words_are_shown(clone: Path, programs: Callable[..., str]) -> None:
    root = clone.parents[2]
    (root / "requirements").mkdir()
    (root / "requirements" / "runtime.lock").write_text("")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    path = f"{programs(node='echo v22.1.0', npm='exit 1')}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, str(clone)], env={"PATH": path, **nowhere}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    first, *told = done.stderr.splitlines()
    assert done.returncode == 1 and first.startswith("[setup] ") and first.endswith(" failed:")
    assert any("No matching distribution found for torch" in line for line in told)
    assert "Traceback" not in done.stderr
