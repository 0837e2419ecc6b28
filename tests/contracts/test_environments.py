"""The learner's tests pass where no Django is, and the server's where no torch is.

A package is made absent by one of the same name, first on the path, that cannot be imported: for the tests and for
the processes that they start alike. `make lint` says the same of imports every time; this runs the tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = (
    "django",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "celery",
    "redis",
    "psycopg",
    "pytest_django",
)
LEARNER = ("torch", "sklearn", "skimage")
SERVER_TESTS = [
    f"tests/{app}" for app in ("core", "accounts", "jobs", "archive", "annotations", "exchange", "learning")
]
CASES = {
    "the learner without the platform": (PLATFORM, ["-p", "no:django", "tests/ml"]),
    "the server without torch": (LEARNER, SERVER_TESTS),
}


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("what", CASES)
def test_the_tests_pass_without_what_they_are_not_about(what, tmp_path):
    packages, tests = CASES[what]
    for name in packages:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            f"raise ModuleNotFoundError('{name} is not here', name='{name}')\n"
        )
    path = os.pathsep.join([str(tmp_path), str(ROOT), str(ROOT / "platform"), str(ROOT / "client")])
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
