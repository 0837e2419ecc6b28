"""An export as one archive: the format's files, a datasheet, counts, sources, checksums. Always the same bytes."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exchange.exporters import FORMATS, Items
from exchange.exporters.datasheet import datasheet

#: The earliest time that a zip can hold: a clock has no place in a file that must come out the same.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Head:
    """What an export says of its snapshot."""

    id: str
    number: int
    sha256: str
    frozen_at: str
    policy: Mapping[str, Any]
    counts: Mapping[str, Any]
    sources: list[dict[str, str]]


def write_archive(head: Head, format_name: str, items: Items, folder: Path, target: Path) -> None:
    """Write the export's files into an empty `folder` and the archive of them to `target`."""
    FORMATS[format_name](items, folder)
    files = sorted(path.name for path in folder.iterdir())
    (folder / "README.md").write_text(datasheet(head, format_name, files), encoding="utf-8")
    _json(folder / "counts.json", {"snapshot": head.id, "sha256": head.sha256, **head.counts})
    _json(folder / "sources.json", head.sources)
    names = sorted(path.name for path in folder.iterdir())
    sums = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    zip_folder(folder, target)


def zip_folder(folder: Path, target: Path) -> None:
    """Zip a folder's files in order of their names, without times, owners or the machine's own habits."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _NO_TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
