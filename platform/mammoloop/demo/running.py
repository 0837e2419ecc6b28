"""Start everything, say so, stay, and end everything in order."""

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django.conf import settings

from jobs import services as jobs
from jobs.models import Job, JobState
from jobs.supervisor import NotReady, ProcessSpec, Supervisor, end_leftovers
from mammoloop import processes

FREE_GB = 2


class CannotStart(Exception):
    """Something on this machine is in the way; the text says what, in one sentence."""


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line


def check_disk() -> None:
    free = shutil.disk_usage(settings.VAR_DIR).free / 2**30
    if free < FREE_GB:
        where = settings.VAR_DIR
        raise CannotStart(f"MammoLoop needs {FREE_GB} GB of free disk to run, and {free:.1f} GB are left in {where}.")


def check_port(bind: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OverflowError as error:
            raise CannotStart(f"There is no port {port}: say one from 1024 to 65535.") from error
        except OSError as error:
            raise CannotStart(_why_not(error, bind, port)) from error


def _why_not(error: OSError, bind: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: say another one with PORT={port + 1}."
    if error.errno == errno.EACCES:
        return f"Port {port} is not for everybody: say one from 1024 to 65535."
    return f"{bind} is no address of this machine: say BIND=127.0.0.1, or 0.0.0.0 for all of its addresses."


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock of this state folder. Raises CannotStart where another start holds it."""
    path = Path(settings.VAR_DIR) / "demo.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart("MammoLoop is running already on this folder: end the other one first.") from error
        yield


def run(*, bind: str, port: int, prepare: Callable[[], None], when_ready: Callable[[], None]) -> int:
    """The whole life of the embedded mode; the exit status.

    `prepare` runs when the broker answers and before the web server does, so that whoever finds /healthz finds an
    exam too; `when_ready` when all processes are up.
    """
    os.umask(0o077)
    with only_one():
        check_disk()
        for name in end_leftovers(settings.VAR_DIR):
            say(f"ended {name}, left over from a start that was killed")
        check_port(bind, port)
        specs = _specs(bind, port)
        supervisor = Supervisor(specs, folder=settings.VAR_DIR, say=say)
        supervisor.handle_signals()
        try:
            _start(supervisor, specs, prepare)
            if not supervisor.stopping.is_set():
                when_ready()
                supervisor.watch()
        except NotReady as error:
            raise CannotStart(f"{error}.") from error
        finally:
            say("stopping …")
            supervisor.stop()
            _give_back()
            say("stopped")
    return 0


def _specs(bind: str, port: int) -> list[ProcessSpec]:
    try:
        return processes.embedded(bind=bind, port=port, worker_queues=settings.ENV["WORKER_CPU_QUEUES"])
    except processes.NoBroker as error:
        raise CannotStart(str(error)) from error


def _start(supervisor: Supervisor, specs: Sequence[ProcessSpec], prepare: Callable[[], None]) -> None:
    """Start in order, each when the one before is ready; what prepares comes between the broker and the rest."""
    broker = [spec for spec in specs if spec.name == "valkey"]
    supervisor.start(broker)
    prepare()
    for spec in specs:
        if spec not in broker and not supervisor.stopping.is_set():
            supervisor.start([spec])


def _give_back() -> None:
    """All workers are gone: what still says running waits again, and the attempt does not count."""
    for job in Job.objects.filter(state=JobState.RUNNING):
        if job.lease_token is not None:
            jobs.give_back(job.pk, token=job.lease_token)


def refuse(error: CannotStart) -> int:
    print(f"MammoLoop cannot start: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a command line
    return 1
