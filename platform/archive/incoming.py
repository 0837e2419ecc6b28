"""Files on their way in: `incoming/<ingest>/<n>`, with the name they came under beside them until they are settled.

A name may be a patient's, so it never reaches the database; a data set's importer sees it in a tree of links.
"""

import os
import shutil
from pathlib import Path, PurePosixPath
from uuid import UUID

from django.conf import settings

_PART_BYTES = 200
_DEPTH = 12


def folder_of(ingest_id: UUID) -> Path:
    """Where the files of an ingest wait."""
    return Path(settings.INCOMING_DIR) / str(ingest_id)


def file_of(ingest_id: UUID, n: int) -> Path:
    return folder_of(ingest_id) / str(n)


def _name_file(ingest_id: UUID, n: int) -> Path:
    return folder_of(ingest_id) / f"{n}.name"


def keep_name(ingest_id: UUID, n: int, name: str) -> None:
    """Remember the name of a file until it is settled."""
    _name_file(ingest_id, n).write_text(safe_name(name), encoding="utf-8")


def name_of(ingest_id: UUID, n: int) -> str:
    """The name that a waiting file came under, as a relative path; its number where there is none."""
    try:
        return _name_file(ingest_id, n).read_text(encoding="utf-8") or str(n)
    except FileNotFoundError:
        return str(n)


def remove(ingest_id: UUID, n: int) -> None:
    """Forget a settled file and its name."""
    file_of(ingest_id, n).unlink(missing_ok=True)
    _name_file(ingest_id, n).unlink(missing_ok=True)


def remove_all(ingest_id: UUID) -> None:
    shutil.rmtree(folder_of(ingest_id), ignore_errors=True)


def safe_name(name: str) -> str:
    """A name as a relative path that stays where it is put: no root, no drive, no parent, no odd characters."""
    parts = [_clean(part) for part in name.replace("\\", "/").split("/")]
    kept = [part for part in parts if part and part not in (".", "..")]
    return "/".join(kept[-_DEPTH:])


def _clean(part: str) -> str:
    text = "".join(character for character in part if character.isprintable() and character != ":").strip()
    return text.encode()[-_PART_BYTES:].decode(errors="ignore")


def lay_out(ingest_id: UUID, numbers: list[int]) -> Path:
    """A folder in which the files of an ingest lie under their names, for who recognises data sets by names.

    Links, not copies. A name that came twice keeps the first; made again from nothing each time.
    """
    tree = folder_of(ingest_id) / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for n in numbers:
        target = tree / PurePosixPath(name_of(ingest_id, n))
        source = file_of(ingest_id, n)
        if source.exists() and not target.exists() and _room_for(target, tree):
            os.link(source, target)
    return tree


def _room_for(target: Path, tree: Path) -> bool:
    """Make the folders above a path; False where one of them is a file of the same delivery."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return tree in target.parents
