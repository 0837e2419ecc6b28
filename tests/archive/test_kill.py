"""A worker that is killed in the middle of an import: nothing is lost, nothing is there twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive.factories import a_mammogram, breast, file_of
from tests.settings import REDIS_SOCKET

ROOT = Path(__file__).resolve().parents[2]
FILES = 12

BEGIN = """
from accounts.services import create_project
from archive import services
project = create_project(name="P", by=None)
ingest = services.create_ingest(project, by=None)
for path in sorted(Path(sys.argv[1]).iterdir()):
    services.receive_file(ingest, path.name, [path.read_bytes()])
services.close_ingest(ingest, by=None)
"""
WORK = """
from jobs.testing import run_queued
run_queued()
"""
RESUME = """
from datetime import timedelta
from archive.models import Admission, Image, IngestItem
from core.clock import now
from jobs.models import Job
from jobs.services import sweep
from jobs.testing import run_queued
assert Job.objects.filter(state="running").update(lease_until=now() - timedelta(seconds=1)) == 1
assert sweep()["lost"] == 1
run_queued()
states = sorted(IngestItem.objects.values_list("state", flat=True))
print(states.count("accepted"), len(states), Image.objects.exclude(derived_at=None).count(), Admission.objects.count())
"""


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """A process of the platform with a database and folders of its own."""
    environment = {
        **os.environ, "VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": "", "REDIS_URL": f"unix://{REDIS_SOCKET}",
        "DJANGO_SETTINGS_MODULE": "mammoloop.settings", "DISK_RESERVE_GB": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
    }  # fmt: skip

    def run(code: str, *arguments: str) -> subprocess.Popen[str]:
        setup = "import sys, django\nfrom pathlib import Path\ndjango.setup()\n"
        return subprocess.Popen(
            [sys.executable, "-c", setup + code, *arguments], env=environment, stdout=subprocess.PIPE, text=True
        )

    return run


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return said.strip()


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_an_import_loses_nothing(python, tmp_path):
    (tmp_path / "files").mkdir()
    for number in range(FILES):
        ds = a_mammogram(patient=f"P{number}", pixels=breast(1500, 1200, seed=number), syntax="1.2.840.10008.1.2.4.90")
        (tmp_path / "files" / f"{number:02}.dcm").write_bytes(file_of(ds))
    ended(python("from django.core.management import call_command\ncall_command('migrate', verbosity=0)"))
    ended(python(BEGIN, str(tmp_path / "files")))
    worker = python(WORK)
    end = time.monotonic() + 60
    stored = tmp_path / "var" / "store"
    while len([path for path in stored.rglob("*") if path.is_file()]) < FILES // 3:
        assert worker.poll() is None and time.monotonic() < end, "the worker was done before it could be killed"
        time.sleep(0.005)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert ended(python(RESUME)).splitlines()[-1] == f"{FILES} {FILES} {FILES} {FILES}"
    objects = [path for path in stored.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert len(objects) == FILES
    assert not list((tmp_path / "var" / "incoming").iterdir())
