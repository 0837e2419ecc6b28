"""`python -m tests.run`: the whole suite, on SQLite and then what touches the database again on PostgreSQL.

What drives a browser or kills processes waits for most of its time. So it runs beside the rest, which is made nice and
takes what is left of the machine. What it said is printed when it has ended.

PostgreSQL is TEST_DATABASE_URL, else a throw-away cluster of the machine's own server (Debian's, through the user
`postgres` when root), else the one that the test lock carries as a wheel. It prints what was skipped, by name.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import throw_away_server

ROOT = Path(__file__).resolve().parents[1]
#: What is run a second time on PostgreSQL: everything that reads or writes rows.
DATABASE_TESTS = tuple(
    f"tests/{app}" for app in ["core", "accounts", "jobs", "archive", "annotations", "exchange", "learning"]
)
#: One at a time: each of these starts a whole platform, or drives a browser in front of one.
WHOLE_PLATFORMS = ("tests/browser", "tests/faults")
NICE = ("nice", "-n", "10")


def pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *arguments]


def verdict(code: int) -> str:
    return "ok" if code == 0 else "FAILED"


def step(name: str, run: Sequence[str], cwd: Path = ROOT, **environment: str) -> int:
    start = time.monotonic()
    code = subprocess.run([*NICE, *run], cwd=cwd, env={**os.environ, **environment}, check=False).returncode
    print(f"--- {name}: {verdict(code)} ({time.monotonic() - start:.0f} s)", flush=True)
    return code


@contextmanager
def beside(name: str, run: Sequence[str], failed: list[int]) -> Iterator[None]:
    """Run it while the block runs; its output and its exit status come at the end, together."""
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(run, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        try:
            yield
        except Exception:
            child.send_signal(signal.SIGINT)  # as Ctrl-C, which reaches it by itself: it ends what it started
            raise
        finally:
            failed.append(child.wait())
            said.seek(0)
            print(f"{said.read()}\n--- {name}: {verdict(child.returncode)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--workers", default="2")
    parallel = ["-n", parser.parse_args().workers, "--dist", "loadfile"]
    others = [f"--ignore={folder}" for folder in WHOLE_PLATFORMS]
    # By itself, for its tests have five seconds each.
    failed = [step("front end", ["npm", "run", "--silent", "test"], cwd=ROOT / "frontend")]
    with beside("browser and faults", pytest(*WHOLE_PLATFORMS), failed):
        failed.append(step("all but those", pytest(*parallel, *others, "tests")))
        with throw_away_server() as url:
            failed.append(step("PostgreSQL", pytest(*parallel, *DATABASE_TESTS), TEST_DATABASE_URL=url))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
