"""`make setup`: from a bare clone to something that runs. Standard library only, for it runs before anything is there.

Installs the runtime lock into .venv and the front end into frontend/node_modules at the same time, and builds the
pages. torch is chosen first: it is the one package that is not in the lock, for its build depends on the machine.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
FRONTEND = ROOT / "frontend"
TORCH = "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHON = (3, 11)
NODE = 20
FREE_GB = 5

# Here, and in words that Python 3.6 reads: an older one stops at the types of the functions below.
if sys.version_info < PYTHON:
    _found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"[setup] MammoLoop needs Python 3.11 or newer, and this is {_found}: run make with PYTHON=python3.12.")


class Refused(Exception):
    """This machine lacks something; the text says what, in one sentence."""


def say(text: str) -> None:
    print(f"[setup] {text}", flush=True)  # noqa: T201 - a command line


def check_machine() -> None:
    """Raises Refused for a Node that will not do."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise Refused(f"MammoLoop needs Node {NODE} or newer with npm, and none was found on the path.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.lstrip("v").split(".")[0]
    if not major.isdecimal():
        raise Refused(f"MammoLoop needs Node {NODE} or newer, and {node} does not say which it is.")
    if int(major) < NODE:
        raise Refused(f"MammoLoop needs Node {NODE} or newer, and this is {version}.")


def check_disk() -> None:
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < FREE_GB:
        raise Refused(f"MammoLoop needs {FREE_GB} GB of free disk to install, and {free:.1f} GB are left in {ROOT}.")


def digest(*files: Path) -> str:
    """What a step was made from; a step whose files are unchanged is not done again."""
    total = hashlib.sha256(sys.version.encode())
    for file in sorted(files):
        total.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def is_done(stamp: Path, of: str) -> bool:
    return stamp.is_file() and stamp.read_text() == of


def run(argv: Sequence[str], *, cwd: Path = ROOT, what: str) -> None:
    """Run a step and say how long it took."""
    start = time.monotonic()
    must(argv, cwd=cwd, what=what)
    say(f"{what} ({time.monotonic() - start:.0f} s)")


def must(argv: Sequence[str], *, cwd: Path = ROOT, what: str) -> None:
    """Run a command; its output is shown only when it fails. Raises Refused."""
    done = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise Refused(f"{what} failed:\n{tail}")


def pip(*arguments: str) -> list[str]:
    return [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments]


def has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None and subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, check=False
    ).returncode == 0  # fmt: skip


def torch_arguments() -> list[str]:
    """Where torch comes from: TORCH_INDEX_URL, else pip's own choice unless it brings CUDA where there is no GPU."""
    given = os.environ.get("TORCH_INDEX_URL")
    if given:
        return ["--index-url", given]
    if has_gpu():
        return []
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        asked = pip("install", "--quiet", "--dry-run", "--ignore-installed", "--report", report.name, TORCH)
        must(asked, what=f"asked where {TORCH} comes from")
        names = [row["metadata"]["name"] for row in json.load(report)["install"]]
    return ["--index-url", TORCH_CPU_INDEX] if any(name.startswith("nvidia") for name in names) else []


def install_python(locks: Sequence[str]) -> None:
    if not (VENV / "bin" / "python").exists():
        run([sys.executable, "-m", "venv", str(VENV)], what="made .venv")
    for lock in locks:
        file = ROOT / "requirements" / f"{lock}.lock"
        stamp, of = VENV / f".{lock}.stamp", digest(file)
        if is_done(stamp, of):
            continue
        if lock == "runtime" and not _has_torch():
            run(pip("install", *torch_arguments(), TORCH), what=f"installed {TORCH}")
        run(pip("install", "--require-hashes", "-r", str(file)), what=f"installed requirements/{lock}.lock")
        stamp.write_text(of)


def _has_torch() -> bool:
    asked = [str(VENV / "bin" / "python"), "-c", "import torch"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def install_frontend() -> None:
    """Install the front end's packages and build the pages, each only when its sources changed."""
    locked = digest(FRONTEND / "package.json", FRONTEND / "package-lock.json")
    stamp = FRONTEND / "node_modules" / ".mammoloop-stamp"
    if not is_done(stamp, locked):
        run(
            ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=FRONTEND,
            what="installed the front end's packages",
        )
        stamp.write_text(locked)
    sources = [file for file in (FRONTEND / "src").rglob("*") if file.is_file()]
    beside = [FRONTEND / name for name in ("index.html", "vite.config.ts", "package-lock.json")]
    sources += [file for file in beside if file.exists()]
    built, of = FRONTEND / "dist" / ".stamp", digest(*sources)
    if not is_done(built, of):
        run(["npm", "run", "--silent", "build"], cwd=FRONTEND, what="built the pages")
        built.write_text(of)


def setup(locks: Sequence[str]) -> None:
    """Both halves at once: one waits for the network while the other computes."""
    check_machine()
    if not (VENV / ".runtime.stamp").exists():
        check_disk()
        say("installing what MammoLoop needs into .venv and frontend/node_modules: a few minutes, once")
    problems: list[BaseException] = []

    def guarded() -> None:
        try:
            install_frontend()
        except (Refused, OSError, subprocess.SubprocessError) as error:
            problems.append(error)

    other = threading.Thread(target=guarded)
    other.start()
    install_python(locks)
    other.join()
    if problems:
        raise problems[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Install what MammoLoop needs.")
    parser.add_argument("locks", nargs="*", default=["runtime"], help="locks of requirements/ in order")
    try:
        setup(parser.parse_args().locks)
    except Refused as refused:
        print(f"[setup] {refused}", file=sys.stderr)  # noqa: T201 - a command line
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
