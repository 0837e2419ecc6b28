"""Files and folders that are there whole or not at all, also after a power cut."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def write_json(path: Path, document: Any) -> None:
    """Replace `path` by a JSON document. Raises ValueError on NaN and infinity."""
    write_bytes(path, json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode())


def write_lines(path: Path, rows: Any) -> str:
    """Replace `path` by one JSON document per line; the SHA-256 of what was written."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    digest = hashlib.sha256()
    with temporary.open("wb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
    return digest.hexdigest()


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a fresh folder, then put it where `path` is. Readers use `settled(path)`."""
    fresh, old = path.with_name(f"{path.name}.tmp-{os.getpid()}"), path.with_name(f"{path.name}.old")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    fill(fresh)
    for file in fresh.rglob("*"):
        if file.is_file():
            sync_file(file)
    sync_folder(fresh)
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    fresh.rename(path)
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def settled(path: Path) -> Path:
    """The folder to read: `path`, or its predecessor if a crash fell between the two renames."""
    old = path.with_name(f"{path.name}.old")
    return old if not path.exists() and old.exists() else path


def remove_leftovers(folder: Path) -> None:
    """Remove what an interrupted write left behind. Only while the run's lock is held."""
    for leftover in [*folder.rglob("*.tmp-*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Flush a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, lowercase hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(document: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces. The same value has the same bytes and so the same hash."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
