"""The one list of settings that the environment may give. `docs/settings.md` is printed from it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, how it is read, its default and what it is for."""

    name: str
    read: Callable[[str], Any]
    default: str
    meaning: str
    example: str = ""


def boolean(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("say 1 or 0")


def names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def gigabytes(text: str) -> int:
    return int(float(text) * 2**30)


SETTINGS = (
    Setting("VAR_DIR", lambda text: Path(text).resolve(), str(ROOT / "var"), "Folder of all state: database, store, secrets, logs."),
    Setting("DATABASE_URL", str, "", "PostgreSQL as postgresql://user:password@host/name; empty: SQLite in VAR_DIR."),
    Setting("REDIS_URL", str, "", "Redis or Valkey as redis://host:port/0 or unix:///path; empty: a server of our own on a socket in VAR_DIR."),
    Setting("ALLOWED_HOSTS", names, "127.0.0.1,localhost,[::1]", "Host names that this server answers to.", "mammo.example.org"),
    Setting("CSRF_TRUSTED_ORIGINS", names, "", "Origins of the pages behind a proxy.", "https://mammo.example.org"),
    Setting("SERVER_MODE", boolean, "0", "1: HTTPS only, secure cookies, HSTS."),
    Setting("DEBUG", boolean, "0", "1: tracebacks in answers; never on a machine that others reach."),
    Setting("PORT", int, "8000", "Port of the web server."),
    Setting("BIND", str, "127.0.0.1", "Address that the web server listens on."),
    Setting("WEB_PROCESSES", int, "1", "Web processes behind one port."),
    Setting("WORKER_CPU_QUEUES", names, "cpu,gpu", "Queues of the worker for computing; `cpu` where worker-gpu runs too."),
    Setting("GPU_LOCK_DIR", str, "", "Folder of one lock file per GPU, shared by the workers of a machine; empty: VAR_DIR/gpu."),
    Setting("UPLOAD_LIMIT_GB", gigabytes, "50", "Largest single upload."),
    Setting("DISK_RESERVE_GB", gigabytes, "1", "Free space that an upload may not use."),
    Setting("LEASE_MINUTES", int, "10", "How long a reading stays with its reader without a sign of life."),
    Setting("PACS_ALLOW_PRIVATE", boolean, "0", "1: archives may be at local (not public) addresses without being listed."),
    Setting("LOG_LEVEL", str.upper, "INFO", "DEBUG, INFO, WARNING or ERROR."),
)  # fmt: skip


def read(environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Every setting, read and checked. Raises ImproperlyConfigured with one sentence that names the variable."""
    given = os.environ if environment is None else environment
    values = {}
    for setting in SETTINGS:
        text = given.get(setting.name, setting.default)
        try:
            values[setting.name] = setting.read(text)
        except ValueError as error:
            raise ImproperlyConfigured(f"The setting {setting.name} cannot be {text!r}: {error}.") from error
    return values
