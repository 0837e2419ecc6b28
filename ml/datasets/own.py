"""Data of one's own: rows written by hand or by a script, made whole from the files that they name.

A row is a line of JSON with fields of `ml.runs.manifest.ManifestRow`. `image_id`, `patient_id` (null where nobody knows
it) and `pixel_path` are needed; what a file says of itself (size, hash, format; of DICOM also side, view, spacing and
intent) is filled in where the row does not say it, and must agree where it does. A key that no row has is refused: a
misspelt label must not be ignored.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from ml.datasets.splits import STRATIFY_FROM, keyed_split, stratified
from ml.pixels.alike import Fingerprint, alike, fingerprint
from ml.pixels.decode import Decoded, decode
from ml.pixels.errors import PixelError
from ml.runs import atomic
from ml.runs.errors import RunRefused, invalid, refused
from ml.runs.manifest import ManifestRow, Split, patient_or_image
from ml.runs.records import RecordError, from_dict
from ml.runs.validate import require_no_leakage, validate

NAME = "own"
NEEDED = ("image_id", "patient_id", "pixel_path")
SPLITS: tuple[Split, ...] = get_args(Split)
FORMATS = {
    ".dcm": "dicom", ".dicom": "dicom", "": "dicom", ".tif": "tiff", ".tiff": "tiff", ".npy": "npy", ".pgm": "pgm",
    ".jpg": "jpeg", ".jpeg": "jpeg",
}  # fmt: skip
#: What a DICOM header says and a row may leave out.
OF_HEADER = (
    "laterality", "view", "presentation", "bits_stored", "spacing_mm", "spacing_source", "manufacturer", "model",
)  # fmt: skip


def read_own(
    path: Path, folder: Path, *, seed: int = 0, told: Callable[[int, int], None] = lambda done, of: None
) -> tuple[list[ManifestRow], list[tuple[str, str]]]:
    """Whole rows of a file, and pairs of images of different patients that show the same picture.

    Every image under `folder` is decoded once; `told(done, of)` hears of each. Raises RunRefused: exit 2
    (`manifest_unreadable`, `manifest_invalid`) where a row or its file is wrong, exit 3 where the data are refused
    (leakage between the splits that were given, geometry outside its image, an image listed twice).
    """
    documents = _documents(path)
    rows: list[ManifestRow] = []
    undecided: set[str] = set()
    prints: dict[str, Fingerprint] = {}
    for number, document in documents:
        row, seen = _whole(document, folder, f"{path.name} line {number}")
        if document.get("split") is None:
            undecided.add(row.image_id)
        rows.append(row)
        prints[row.image_id] = seen
        told(len(rows), len(documents))
    _require_files_apart([row for row in rows if row.image_id not in undecided])
    rows = _drawn(rows, undecided, seed)
    validate(rows, kinds=tuple({row.image_kind for row in rows}))
    return rows, alike(prints, {row.image_id: row.patient_id for row in rows})


def _documents(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise invalid("manifest_unreadable", f"{path} is not text in UTF-8") from None
    except OSError as error:
        raise invalid("manifest_unreadable", f"{path} cannot be read: {error.strerror}") from None
    found = [(n, _document(line, f"{path.name} line {n}")) for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise invalid("manifest_invalid", f"{path} has no rows: one JSON object a line is expected")
    return found


def _document(line: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError as error:
        raise invalid("manifest_invalid", f"{where} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise invalid("manifest_invalid", f"{where} is not a JSON object")
    if lacking := [name for name in NEEDED if name not in document]:
        raise invalid("manifest_invalid", f"{where}: {lacking[0]} is missing; every row has {', '.join(NEEDED)}")
    return document


def _whole(document: Mapping[str, Any], folder: Path, where: str) -> tuple[ManifestRow, Fingerprint]:
    """The row with what its file says, and the picture's fingerprint. Raises RunRefused."""
    said = {key: value for key, value in document.items() if value is not None}
    # Before the file is opened: a wrong label is a matter of milliseconds, not of decoding.
    draft = {"rows": 1, "cols": 1, "exam_id": "", "patient_id": "", **said}
    row = _record(draft, where)
    file = _inside(folder, row.pixel_path, where)
    for name in _mask_paths(row):
        _inside(folder, name, where)
    chosen = str(said.get("pixel_format") or _format_of(file))
    try:
        decoded = decode(file, pixel_format=chosen)
    except PixelError as error:
        raise invalid("pixels_unreadable", f"{where}: {row.pixel_path} cannot be read: {error.sentence}") from None
    known = _of_file(decoded, file, chosen)
    if "spacing_mm" in said:
        known["spacing_source"] = "user"
    for name in ("rows", "cols", "sha256"):
        if name in said and said[name] != known[name]:
            raise invalid("manifest_invalid", f"{where}: {name} is {said[name]}, and that of the file is {known[name]}")
    patient, flags = patient_or_image(said.get("patient_id"), row.image_id)
    identity = {"patient_id": patient, "exam_id": said.get("exam_id") or patient}
    whole = _record({**known, **said, **identity}, where)
    return replace(whole, flags=tuple(dict.fromkeys((*whole.flags, *flags)))), fingerprint(decoded.pixels)


def _record(document: Mapping[str, Any], where: str) -> ManifestRow:
    try:
        row = from_dict(ManifestRow, dict(document), strict=True)
    except RecordError as error:
        raise invalid("manifest_invalid", f"{where}: {error}") from None
    if not row.image_id or not row.weight > 0:
        raise invalid("manifest_invalid", f"{where}: image_id must not be empty, and weight must be above 0")
    return row


def _inside(folder: Path, name: str, where: str) -> Path:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise invalid("path_outside", f"{where}: {name} leads out of {folder}")
    if not file.is_file():
        raise invalid("pixels_unreadable", f"{where}: there is no file {name} in {folder}")
    return file


def _mask_paths(row: ManifestRow) -> list[str]:
    marks = [mark for finding in row.findings for mark in (*finding.marks, *finding.reader_marks)]
    drawn = [mark.geometry for mark in marks if mark.kind in ("mask", "label_map")]
    return [str(geometry["path"]) for geometry in drawn if isinstance(geometry, dict) and "path" in geometry]


def _format_of(file: Path) -> str:
    """By the suffix; of PNG also by its depth, and DICOM where nothing is known (its files often have no suffix)."""
    if file.suffix.lower() != ".png":
        return FORMATS.get(file.suffix.lower(), "dicom")
    try:
        with Image.open(file) as picture:
            return "png16" if picture.mode.startswith("I") else "png8"
    except OSError:
        return "png8"  # the decoder says what is wrong with it


def _of_file(decoded: Decoded, file: Path, pixel_format: str) -> dict[str, Any]:
    rows, cols = decoded.pixels.shape
    known = {"rows": rows, "cols": cols, "pixel_format": pixel_format, "sha256": atomic.sha256_of(file)}
    if pixel_format != "dicom":
        return known
    header = {name: getattr(decoded.info, name) for name in OF_HEADER}
    if decoded.info.photometric in ("MONOCHROME1", "MONOCHROME2"):
        header["photometric"] = decoded.info.photometric
    return {**known, **{name: value for name, value in header.items() if value is not None}}


def _drawn(rows: Sequence[ManifestRow], undecided: set[str], seed: int) -> list[ManifestRow]:
    """The rows with a split each: a patient has the one that some of its rows name, the others are drawn by patient.

    A drawn training image of which nothing is known goes into the pool. Raises RunRefused (exit 3).
    """
    given: dict[str, set[Split]] = defaultdict(set)
    for row in rows:
        if row.image_id not in undecided:
            # Train and pool are one side: which of the two an image is depends on its labels.
            given[row.patient_id].add("train" if row.split == "pool" else row.split)
    tags = _tags([row for row in rows if row.patient_id not in given])
    drawn = stratified(tags, seed=seed) if len(tags) >= STRATIFY_FROM else {p: keyed_split(seed, p) for p in tags}
    made = []
    for row in rows:
        if row.image_id in undecided:
            split = next(iter(given[row.patient_id])) if row.patient_id in given else drawn[row.patient_id]
            row = replace(row, split="pool" if split == "train" and not _labelled(row) else _split(split))
        made.append(row)
    _require_files_apart(made)
    return made


def _require_files_apart(rows: Sequence[ManifestRow]) -> None:
    """The same file under two patients is said with the images' names, which no hash of a file would tell."""
    try:
        require_no_leakage(rows)
    except RunRefused as error:
        if error.code != "leakage_file":
            raise
        named = [row.image_id for row in rows if row.sha256 in error.detail["examples"]]
        text = "one file is listed under patients of different splits: is it one patient?"
        raise refused("leakage_file", text, examples=named[:6]) from None


def _split(name: str) -> Split:
    return next(split for split in SPLITS if split == name)


def _labelled(row: ManifestRow) -> bool:
    return bool(row.density or row.findings or row.complete or (row.outcome and row.outcome.cancer is not None))


def _tags(rows: Sequence[ManifestRow]) -> dict[str, set[str]]:
    """Patients with what their splits are stratified by: density, finding types, pathology, outcome, set, maker."""
    tags: dict[str, set[str]] = {}
    for row in rows:
        own = tags.setdefault(row.patient_id, set())
        own |= {f"finding:{finding.type}" for finding in row.findings}
        own |= {f"pathology:{finding.pathology}" for finding in row.findings}
        of_row = {
            "density": row.density and row.density.label,
            "cancer": row.outcome and row.outcome.cancer,
            "dataset": row.dataset,
            "manufacturer": row.manufacturer,
        }
        own |= {f"{name}:{value}" for name, value in of_row.items() if value is not None}
    return tags
