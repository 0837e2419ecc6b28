"""Zip archives opened with distrust: every file in one becomes an item of its own, under a number and not its name.

Nothing is written outside the ingest's folder, whatever the members are called, as their names are never used as
paths. Size, count and depth are limited before the first byte is unpacked.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings

from archive import incoming, services, store
from archive.errors import ArchiveDamaged, ArchiveTooLarge, NestedArchive, PathOutside
from archive.models import Ingest, IngestItem, ItemState
from core.errors import MammoError
from core.ids import uuid7

MOST_MEMBERS = 65_000
MOST_DIRECTORY_BYTES = 64 * 2**20
#: A mammogram shrinks by 20 at most; a bomb by a thousand and more. Small archives may do as they like.
MOST_RATIO = 200
FREE_BYTES = 200 * 2**20
DEEPEST = 20
_CHUNK = 2**20
_END_BYTES = 22 + 65_535
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, KeyError,
           struct.error)  # fmt: skip


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does, an empty one too."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def unpack(ingest: Ingest, item: IngestItem, *, each: Callable[[], None]) -> None:
    """Make an item of every file in an archive, then let the archive go; `each` is called between files.

    After a crash it goes on where it was. An archive that cannot be taken is rejected as a whole, with its code.
    """
    path = incoming.file_of(ingest.pk, item.n)
    try:
        with _opened(path) as archive:
            known = set(item.members.values_list("member", flat=True))
            for position, info in enumerate(archive.infolist()):
                if not info.is_dir() and position not in known:
                    each()
                    _take(ingest, item, archive, info, position)
    except (ArchiveDamaged, ArchiveTooLarge) as error:
        services.settle(item, ItemState.REJECTED, error=error)
    else:
        services.settle(item, ItemState.UNPACKED)
    incoming.remove(ingest.pk, item.n)


def _opened(path: Path) -> zipfile.ZipFile:
    """An archive within all limits. Raises ArchiveDamaged, ArchiveTooLarge, DiskFull."""
    _require_small_directory(path)
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise ArchiveDamaged() from error
    sizes = [info.file_size for info in archive.infolist()]
    total, packed = sum(sizes), path.stat().st_size
    most = min(settings.UPLOAD_LIMIT_BYTES, max(FREE_BYTES, MOST_RATIO * packed))
    if total > most or len(sizes) > MOST_MEMBERS:
        archive.close()
        raise ArchiveTooLarge(files=len(sizes), unpacked_bytes=total, limit_bytes=most)
    store.require_space(path.parent, total)
    return archive


def _require_small_directory(path: Path) -> None:
    """The list of members is read into memory at once, so what the archive says of it is looked at before.

    Source: PKWARE APPNOTE 4.3.16, end of central directory record: entries at offset 10, directory bytes at 12.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END_BYTES))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 20:
        raise ArchiveDamaged()
    entries, directory = struct.unpack("<HI", tail[at + 10 : at + 16])
    if entries > MOST_MEMBERS or directory > MOST_DIRECTORY_BYTES:
        raise ArchiveTooLarge(files=entries)


def _take(ingest: Ingest, parent: IngestItem, archive: zipfile.ZipFile, info: zipfile.ZipInfo, position: int) -> None:
    """Make an item of one member; one that cannot be unpacked is an item too, rejected."""
    part = incoming.folder_of(ingest.pk) / f"unpack-{uuid7()}"
    error: MammoError | None = None
    size = 0
    try:
        _require_plain(info)
        size = store.write_atomically(part, _chunks(archive, info))
        if is_zip(part):
            raise NestedArchive()
    except (PathOutside, ArchiveDamaged, NestedArchive) as found:
        error = found
        part.write_bytes(b"")
    item = services.add_item(ingest, part, info.filename, size, parent=parent, member=position)
    if error is not None:
        services.settle(item, ItemState.REJECTED, error=error)
        incoming.remove(ingest.pk, item.n)


def _require_plain(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    link = (info.external_attr >> 28) == 0xA  # the Unix file type of a symbolic link, in the upper half
    if link or name.startswith("/") or ".." in parts or ":" in parts[0] or len(parts) > DEEPEST:
        raise PathOutside()
    if info.flag_bits & 0x1:
        raise ArchiveDamaged("This file is locked by a password.")


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as member:
            while chunk := member.read(_CHUNK):
                yield chunk
    except _BROKEN as error:
        raise ArchiveDamaged() from error
