"""`python -m tests.run`: the whole suite, on SQLite and then what touches the database again on PostgreSQL.

PostgreSQL is TEST_DATABASE_URL, else a throw-away cluster of the machine's own server (Debian's, through the user
`postgres` when root), else the one that the test lock carries as a wheel. It prints what was skipped, by name.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.postgres import throw_away_server

ROOT = Path(__file__).resolve().parents[1]
#: What is run a second time on PostgreSQL: everything that reads or writes rows.
DATABASE_TESTS = tuple(
    f"tests/{app}" for app in ["core", "accounts", "jobs", "archive", "annotations", "exchange", "learning"]
)


def pytest(arguments: Sequence[str], **environment: str) -> int:
    argv = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *arguments]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


def step(name: str, run: Sequence[str], cwd: Path = ROOT) -> int:
    start = time.monotonic()
    code = subprocess.run(run, cwd=cwd, check=False).returncode
    print(f"--- {name}: {'ok' if code == 0 else 'FAILED'} ({time.monotonic() - start:.0f} s)", flush=True)
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--workers", default="2")
    workers = parser.parse_args().workers
    parallel = ["-n", workers, "--dist", "loadfile"]
    failed = [step("front end", ["npm", "run", "--silent", "test"], cwd=ROOT / "frontend")]
    failed.append(pytest([*parallel, "--ignore=tests/browser", "--ignore=tests/faults", "tests"]))
    # One at a time: each of these starts a whole platform, and a browser beside it.
    failed.append(pytest(["tests/browser", "tests/faults"]))
    with throw_away_server() as url:
        failed.append(pytest([*parallel, *DATABASE_TESTS], TEST_DATABASE_URL=url))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
