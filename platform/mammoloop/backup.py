"""One file that holds everything, and back.

The database is copied first and the folders after it: objects are written before their rows and never changed, so a
folder that is copied later holds all that the rows name. Derived files are left out, for they can be made again.
"""

import json
import os
import sqlite3
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from core.clock import now
from core.errors import Conflict, Invalid, Unavailable

FOLDERS = ("secrets", "store", "incoming", "runs", "weights", "exports")
DESCRIPTION = "backup.json"
SCHEMA = "mammoloop.backup/1.0"


class StateNotEmpty(Conflict):
    """There is something in this state folder or database already."""

    code = "mammoloop.state_not_empty"
    cure = "Restore into an empty VAR_DIR and an empty database."


class NotABackup(Invalid):
    """This file is not a backup of MammoLoop that can be read here."""

    code = "mammoloop.not_a_backup"
    cure = "Give a file made by `manage.py backup`, for the same kind of database."


class DumpFailed(Unavailable):
    """The database's own program for dumps did not succeed."""

    code = "mammoloop.dump_failed"
    cure = "Install the PostgreSQL client programs of the server's version and look at its message above."


def backup(target: Path) -> dict[str, Any]:
    """Write the backup; what it holds. The file has mode 0600: it holds the secrets."""
    part = target.with_name(target.name + ".part")
    description = {"schema": SCHEMA, "made_at": now().isoformat(), "database": connection.vendor}
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        dump = Path(scratch) / "database"
        _dump(dump)
        note = Path(scratch) / DESCRIPTION
        note.write_text(json.dumps(description))
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            with tarfile.open(fileobj=out, mode="w") as tar:
                tar.add(note, DESCRIPTION)
                tar.add(dump, "database")
                for name in FOLDERS:
                    if (folder := settings.VAR_DIR / name).is_dir():
                        tar.add(folder, name)
            out.flush()
            os.fsync(out.fileno())
    part.replace(target)
    return {**description, "bytes": target.stat().st_size}


def restore(source: Path) -> dict[str, Any]:
    """Bring a backup back into an empty state folder. Raises NotABackup, StateNotEmpty, DumpFailed."""
    try:
        with tarfile.open(source) as tar:
            description = json.load(tar.extractfile(DESCRIPTION) or _nothing())
            if description.get("schema") != SCHEMA or description.get("database") != connection.vendor:
                raise NotABackup(found=description.get("schema"), database=description.get("database"))
            _require_empty()
            # The data filter refuses absolute names, links that lead out and devices.
            tar.extractall(settings.VAR_DIR, filter="data")
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise NotABackup() from error
    (settings.VAR_DIR / DESCRIPTION).unlink()
    dump = settings.VAR_DIR / "database"
    _load(dump)
    dump.unlink(missing_ok=True)
    return description


def _nothing() -> Any:
    raise NotABackup()


def _require_empty() -> None:
    held = [name for name in ("store", "runs", "weights", "exports") if any((settings.VAR_DIR / name).glob("*"))]
    if held or "core_auditevent" in connection.introspection.table_names():
        raise StateNotEmpty(found=held or ["database"])


def _dump(target: Path) -> None:
    if connection.vendor == "sqlite":
        with sqlite3.connect(settings.DATABASES["default"]["NAME"]) as source, sqlite3.connect(target) as copy:
            source.backup(copy)
        return
    _postgres("pg_dump", "--format", "custom", "--no-owner", "--file", str(target))


def _load(dump: Path) -> None:
    if connection.vendor == "sqlite":
        connection.close()
        name = Path(settings.DATABASES["default"]["NAME"])
        for left in (name, Path(f"{name}-wal"), Path(f"{name}-shm")):
            left.unlink(missing_ok=True)
        dump.replace(name)
        return
    _postgres("pg_restore", "--no-owner", "--exit-on-error", "--dbname", connection.settings_dict["NAME"], str(dump))


def _postgres(program: str, *arguments: str) -> None:
    """Run a client program; the password goes by the environment, where other users cannot read it."""
    entry = connection.settings_dict
    given = {"PGHOST": entry["HOST"], "PGPORT": entry["PORT"], "PGUSER": entry["USER"], "PGPASSWORD": entry["PASSWORD"]}
    environment = {**os.environ, **{name: value for name, value in given.items() if value}, "PGDATABASE": entry["NAME"]}
    try:
        subprocess.run([program, *arguments], env=environment, check=True)  # noqa: S603 - our own arguments
    except (OSError, subprocess.CalledProcessError) as error:
        raise DumpFailed(program=program) from error
