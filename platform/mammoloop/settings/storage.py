"""Where rows and messages live: URLs of the environment in the forms that Django and Celery want."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# A Unix socket's path must stay under 104 bytes (macOS) or 108 (Linux).
SOCKET_PATH_BYTES = 100


def database(url: str, var: Path) -> dict[str, Any]:
    """Django's database entry for a URL; empty: SQLite in `var`."""
    if not url:
        var.mkdir(parents=True, exist_ok=True)
        return sqlite(var / "db.sqlite3")
    parts = urlsplit(url)
    options: dict[str, Any] = {**dict(parse_qsl(parts.query)), "pool": {"min_size": 1, "max_size": 16, "timeout": 30}}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": options,
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite so that several processes write without "database is locked".

    IMMEDIATE, because a deferred transaction that reads and then writes fails at once, whatever the timeout. FULL,
    because in WAL mode NORMAL does not sync at commit, and a power cut would take back what a reader was told is saved.
    """
    pragmas = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON;PRAGMA cache_size=-65536;"
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": options,
        "TEST": {
            "NAME": str(path.with_name("test.sqlite3"))
        },  # a file: in memory there is no WAL and no second process
    }


def embedded_socket(var: Path) -> Path:
    """The socket of the embedded server; in the temporary folder where `var` has too long a path."""
    path = var / "redis" / "s.sock"
    if len(bytes(path)) <= SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(bytes(var)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"mammoloop-{name}" / "s.sock"


def embedded_redis_url(var: Path) -> str:
    return f"unix://{embedded_socket(var)}"


def celery_url(url: str) -> str:
    """A redis-py URL as Kombu wants it."""
    if url.startswith("unix://"):
        return f"redis+socket://{url.removeprefix('unix://')}?virtual_host=0"
    return url
