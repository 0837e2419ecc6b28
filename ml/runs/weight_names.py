"""The names in a weights file, read without torch and without running any of its pickle: enough to tell its family.

Source of the formats: torch/serialization.py of PyTorch 2.13 (a zip with data.pkl, and the five pickles in a row that
came before it), the README of safetensors.
"""

import io
import json
import pickletools
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ml.runs.layouts import OWN_TRUNK, Family, recognised, without_prefixes

MOST_HEADER = 8 * 2**20
#: Of a pickle; a thousand tensors take 0.2 MiB.
_MOST_PICKLE = 2 * 2**20
_PICKLES_BEFORE_ZIP = 5
_NO_ZIP = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


def family_in(path: Path) -> Family | None:
    """Whose network a .safetensors, .pth or .pt file holds; None for one that is not of ours, or cannot be read."""
    with path.open("rb") as opened:
        start = opened.read(4)
    if start.startswith(b"PK"):
        return family_of(_strings(_zipped_pickle(path)))
    if start.startswith(b"\x80"):
        with path.open("rb") as opened:
            return family_of(_strings(opened.read(_MOST_PICKLE)))
    return family_of(_header_names(path))


def family_of(names: Iterable[str]) -> Family | None:
    """The family of a network by its names, what wrappers put before them left out; of several own trunks the first."""
    bare = {without_prefixes(name) for name in names}
    trunks: dict[str, set[str]] = {}
    for name in sorted(bare):
        if match := OWN_TRUNK.match(name):
            trunks.setdefault(match["stage"] or "", set()).add(match["name"])
    return next((found for own in trunks.values() or [bare] if (found := recognised(own))), None)


def _header_names(path: Path) -> set[str]:
    with path.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        text = opened.read(length) if length <= MOST_HEADER else b""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    return set(header) - {"__metadata__"} if isinstance(header, dict) else set()


def _zipped_pickle(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            member = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if member is None:
                return b""
            with archive.open(member) as opened:
                return opened.read(_MOST_PICKLE)
    except _NO_ZIP:
        return b""


def _strings(pickles: bytes) -> set[str]:
    """All text in the first pickles of some bytes: the names of the tensors are among it."""
    return set(_texts(io.BytesIO(pickles)))


def _texts(stream: io.BytesIO) -> Iterator[str]:
    try:
        for _ in range(_PICKLES_BEFORE_ZIP):
            yield from (value for _, value, _ in pickletools.genops(stream) if isinstance(value, str))
    except ValueError:  # the end, or no pickle: what was read until then counts
        return
