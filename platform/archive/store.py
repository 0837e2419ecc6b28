"""Files by what they hold: the SHA-256 of an object is its name, so it never changes and is there once."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from archive.errors import DiskFull, UploadCut, UploadTooLarge
from core.ids import uuid7


def object_file(sha256: str) -> Path:
    """Where an object lies: `store/ab/cd/<sha256>`."""
    return Path(settings.STORE_DIR) / sha256[:2] / sha256[2:4] / sha256


def derived_file(sha256: str, name: str) -> Path:
    """Where something that was made from an object lies."""
    return Path(settings.DERIVED_DIR) / sha256[:2] / sha256[2:4] / sha256 / name


def put(content: bytes) -> str:
    """Store an object and return its name. It is on the disk, whole, when this returns; the same bytes are one."""
    name = hashlib.sha256(content).hexdigest()
    target = object_file(name)
    if not target.exists():
        write_atomically(target, [content])
    return name


def write_atomically(target: Path, chunks: Iterable[bytes]) -> int:
    """Write a file so that it is there whole or not at all, even through a power cut. How many bytes it has.

    Raises DiskFull.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{uuid7()}.part")
    try:
        written = _write(part, chunks)
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull() from error
        raise
    finally:
        part.unlink(missing_ok=True)
    return written


def _write(part: Path, chunks: Iterable[bytes]) -> int:
    written = 0
    with part.open("xb") as file:
        for chunk in chunks:
            written += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return written


def _limited(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """The chunks, as long as they are no more than an upload may be. Raises UploadTooLarge."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > settings.UPLOAD_LIMIT_BYTES:
            raise UploadTooLarge(limit_bytes=settings.UPLOAD_LIMIT_BYTES)
        yield chunk


@contextmanager
def received(folder: Path, chunks: Iterable[bytes], expected: int | None) -> Iterator[tuple[Path, int]]:
    """An upload as a file of the folder, whole, with its size; what of it was not moved away is removed at the end.

    `expected` is its length where the sender said it. Raises UploadTooLarge, UploadCut, DiskFull.
    """
    if expected is not None and expected > settings.UPLOAD_LIMIT_BYTES:
        raise UploadTooLarge(limit_bytes=settings.UPLOAD_LIMIT_BYTES)
    require_space(folder, expected or 0)
    part = folder / f"upload-{uuid7()}"
    try:
        size = write_atomically(part, _limited(chunks))
        if expected is not None and size != expected:
            raise UploadCut(expected_bytes=expected, received_bytes=size)
        yield part, size
    finally:
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk: a rename is only safe after that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(sha256: str) -> None:
    """Remove an object with all that was made from it."""
    object_file(sha256).unlink(missing_ok=True)
    shutil.rmtree(derived_file(sha256, "x").parent, ignore_errors=True)


def require_space(folder: Path, wanted: int) -> None:
    """Raises DiskFull where writing that many bytes would eat into the reserve."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free - wanted < settings.DISK_RESERVE_BYTES:
        raise DiskFull()
