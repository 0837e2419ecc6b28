"""mini-MIAS: 322 film mammograms (161 patients, both MLO views) with classes and circles in one text file.

The reader takes any part of the set: `Info.txt` with the images beside it or in `images/`, as `.pgm` or `.png`.

What the text file says and what is true:

- Note 1 of `Info.txt` calls even numbers left. The film markers say the opposite: odd = left, even = right.
- Circle centres count y from the bottom; here y counts from the top: `y = 1024 - y_file`.
- As stored, the chest wall is on the right of odd and on the left of even images; pixels are never flipped.
- `mdb212` gives a circle in the black background outside the breast: kept, to be ignored by training and metrics.

Source: J. Suckling et al. 1994; the data set's own Info.txt and Licence.txt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ml.datasets.reading import DatasetError
from ml.datasets.splits import STRATIFY_FROM, keyed_split, stratified
from ml.geometry.convert import mini_mias_circle

NAME = "mini-mias"
SOURCE = "MIAS MiniMammographic Database (mini-MIAS)"
LICENCE = (
    "Research purposes only; cite the paper; no renting, leasing or selling; unmodified portions in a modified work "
    "stay under the same terms (Licence.txt of the data set)."
)
CITATION = (
    'J. Suckling et al. (1994) "The Mammographic Image Analysis Society Digital Mammogram Database", '
    "Excerpta Medica, International Congress Series 1069, pp. 375-378."
)
SIZE_PX = 1024
SPACING_MM = (0.2, 0.2)
DENSITY_OF_TISSUE = {"F": "a", "G": "b", "D": "c"}
"""Fatty, fatty-glandular, dense-glandular: three classes, so BI-RADS d does not occur."""
FINDING_OF_CLASS = {
    "CIRC": ("mass", "circumscribed"),
    "SPIC": ("mass", "spiculated"),
    "MISC": ("mass", "ill_defined"),
    "CALC": ("calcification", None),
    "ARCH": ("architectural_distortion", None),
    "ASYM": ("asymmetry", None),
}
PATHOLOGY = {"B": "benign", "M": "malignant"}
BIRADS = {"B": "2", "M": "5"}
BIRADS_NORMAL = "1"
IGNORED = frozenset({"mdb212"})

_NAME = re.compile(r"mdb\d{3}", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SUFFIXES = (".pgm", ".png")


class MiniMiasError(DatasetError):
    """A folder that looks like mini-MIAS says something that cannot be read."""


@dataclass(frozen=True)
class MiasRow:
    """One row of `Info.txt`: one abnormality of an image, or the statement that it is normal.

    `circle` is (x, y, r) in stored pixels, corner origin, y from the top; None where the file gives none.
    """

    cls: str
    severity: str | None
    circle: tuple[float, float, float] | None
    note: str | None = None
    ignore: bool = False


@dataclass(frozen=True)
class MiasImage:
    """One film with all its rows. `patient_number` counts pairs: (mdb001, mdb002) is 1."""

    name: str
    path: Path
    laterality: str
    patient_number: int
    tissue: str
    rows: tuple[MiasRow, ...]

    @property
    def patient(self) -> str:
        """The set's own patient id, by which splits are drawn: `mini-mias:12`."""
        return f"{NAME}:{self.patient_number}"

    @property
    def patient_orientation(self) -> str:
        """DICOM Patient Orientation (0020,0020) of the stored pixels."""
        return r"P\F" if self.laterality == "L" else r"A\F"

    @property
    def normal(self) -> bool:
        return all(row.cls == "NORM" for row in self.rows)

    @property
    def complete(self) -> bool:
        """Whether every finding of this film has a place that can be trusted."""
        return all(row.cls == "NORM" or (row.circle is not None and not row.ignore) for row in self.rows)


@dataclass(frozen=True)
class MiniMias:
    """A folder of the set. `missing` names films that `Info.txt` lists and the folder lacks; `unlisted` the reverse."""

    images: tuple[MiasImage, ...]
    missing: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    source: str = SOURCE
    licence: str = LICENCE
    citation: str = CITATION


def recognise(folder: Path) -> bool:
    """Whether `folder` holds mini-MIAS: an `Info.txt` with a row of the set, and at least one of its films."""
    info = _info_file(folder)
    if info is None:
        return False
    listed = {name for name, _ in _lines(info)}
    return bool(listed & _films(info.parent).keys())


def read(folder: Path) -> MiniMias:
    """All films of `folder` that `Info.txt` describes, in the order of their names.

    Raises MiniMiasError where there is no `Info.txt` or a row of it cannot be understood.
    """
    info = _info_file(folder)
    if info is None:
        raise MiniMiasError("There is no Info.txt in this folder.")
    films = _films(info.parent)
    rows: dict[str, list[tuple[str, MiasRow]]] = {}
    for name, words in _lines(info):
        rows.setdefault(name, []).append((words[0], _row(name, words)))
    images = tuple(_image(name, films[name], rows[name]) for name in sorted(rows) if name in films)
    return MiniMias(
        images=images,
        missing=tuple(sorted(rows.keys() - films.keys())),
        unlisted=tuple(sorted(films.keys() - rows.keys())),
    )


def findings_of(image: MiasImage) -> list[dict[str, Any]]:
    """The film's rows as findings of a reading document, without ids: one a row, none for a normal film.

    Each has `key` (stable, unique in the set), the document's fields, and `marks` (kind and geometry in stored
    pixels; empty where the file gives no circle). Ids and the image's id are the caller's.
    """
    abnormal = [row for row in image.rows if row.cls != "NORM"]
    return [_finding(image, row, order) for order, row in enumerate(abnormal, start=1)]


def breast_of(image: MiasImage) -> dict[str, Any]:
    """The breast's part of a reading document: density mapped from three classes, and the worst assessment."""
    worst = max((BIRADS[row.severity] for row in image.rows if row.severity), default=None)
    return {
        "density": DENSITY_OF_TISSUE[image.tissue],
        "density_source": f"tissue3:{image.tissue}",
        "birads": BIRADS_NORMAL if image.normal else worst,
    }


def tags_of(images: Iterable[MiasImage]) -> dict[str, set[str]]:
    """Patients with the tags by which splits are stratified: density, finding types, pathology."""
    tags: dict[str, set[str]] = {}
    for image in images:
        own = tags.setdefault(image.patient, set())
        own.add(f"density:{DENSITY_OF_TISSUE[image.tissue]}")
        for finding in findings_of(image):
            own |= {f"finding:{finding['type']}", f"pathology:{finding['pathology']}"}
    return tags


def manifest_rows(folder: Path, *, seed: int | str = 0) -> list[dict[str, Any]]:
    """One row of `mammoloop.manifest/1.0` a film, for training without the platform; pixel paths are under `folder`.

    Splits are stratified by patient, as the platform draws them for a labelled import; few patients go by key.
    """
    data = read(folder)
    tags = tags_of(data.images)
    splits = stratified(tags, seed=seed) if len(tags) >= STRATIFY_FROM else {p: keyed_split(seed, p) for p in tags}
    return [_manifest_row(image, folder, splits[image.patient]) for image in data.images]


def _manifest_row(image: MiasImage, folder: Path, split: str) -> dict[str, Any]:
    label = DENSITY_OF_TISSUE[image.tissue].upper()
    with Image.open(image.path) as opened:
        cols, rows = opened.size
    return {
        "image_id": image.name,
        "exam_id": image.patient,
        "patient_id": image.patient,
        "laterality": image.laterality,
        "view": "MLO",
        "rows": rows,
        "cols": cols,
        "pixel_path": image.path.relative_to(folder).as_posix(),
        "pixel_format": "pgm" if image.path.suffix.lower() == ".pgm" else "png8",
        "sha256": hashlib.sha256(image.path.read_bytes()).hexdigest(),
        "photometric": "MONOCHROME2",
        "presentation": "film",
        "bits_stored": 8,
        "spacing_mm": list(SPACING_MM),
        "spacing_source": "dataset",
        "image_kind": "standard",
        "dataset": NAME,
        "manufacturer": None,
        "model": None,
        "age_band": None,
        "density": {
            "scale": "tissue3",
            "label": label,
            "source_label": image.tissue,
            "readers": [{"reader": f"dataset:{NAME}", "label": label}],
            "agreed": True,
        },
        "findings": [_manifest_finding(finding) for finding in findings_of(image)],
        "complete": image.complete,
        "outcome": None,
        "split": split,
        "weight": 1.0,
    }


def _manifest_finding(finding: dict[str, Any]) -> dict[str, Any]:
    kept = ("type", "subtype", "pathology", "birads", "difficulty")
    marks = [
        {"mark_id": f"{finding['key']}:{n}", "provenance": "imported", **mark}
        for n, mark in enumerate(finding["marks"], start=1)
    ]
    return {"finding_id": finding["key"], **{k: finding[k] for k in kept if k in finding}, "marks": marks}


def _finding(image: MiasImage, row: MiasRow, order: int) -> dict[str, Any]:
    kind, subtype = FINDING_OF_CLASS[row.cls]
    finding: dict[str, Any] = {
        "key": f"{image.name}:{order}",
        "type": kind,
        "birads": BIRADS.get(row.severity or ""),
        "laterality": image.laterality,
        "order": order,
        "pathology": PATHOLOGY.get(row.severity or "", "unknown"),
        "source_label": " ".join(word for word in (row.cls, row.severity, row.note) if word),
        "marks": [{"kind": "circle", "geometry": list(row.circle)}] if row.circle else [],
    }
    if subtype:
        finding["subtype"] = subtype
    if row.ignore:
        finding["difficulty"] = "ignore"
    return finding


def _image(name: str, path: Path, rows: list[tuple[str, MiasRow]]) -> MiasImage:
    tissues = {tissue for tissue, _ in rows}
    if len(tissues) != 1:
        raise MiniMiasError(f"{name} has rows of different tissue: {', '.join(sorted(tissues))}.")
    number = int(name[3:])
    return MiasImage(
        name=name,
        path=path,
        laterality="L" if number % 2 else "R",
        patient_number=(number + 1) // 2,
        tissue=tissues.pop(),
        rows=tuple(row for _, row in rows),
    )


def _row(name: str, words: list[str]) -> MiasRow:
    """`words` follow the name: tissue, class, then severity, x, y, radius as far as the row goes."""
    tissue, *rest = words
    cls = rest[0] if rest else ""
    if tissue not in DENSITY_OF_TISSUE or (cls != "NORM" and cls not in FINDING_OF_CLASS):
        raise MiniMiasError(f"The row of {name} has an unknown tissue or class: {' '.join(words)}.")
    severity = rest[1] if len(rest) > 1 and rest[1] in PATHOLOGY else None
    after = rest[2:] if severity else rest[1:]
    circle = _circle(after)
    return MiasRow(
        cls=cls,
        severity=severity,
        circle=circle,
        note=None if circle else " ".join(after).strip("* ") or None,
        ignore=name in IGNORED,
    )


def _circle(words: list[str]) -> tuple[float, float, float] | None:
    """(x, y from the top, radius) if three numbers stand there; a row that stops early or has a note gives none."""
    if len(words) < 3 or not all(_NUMBER.fullmatch(word) for word in words[:3]):
        return None
    x, y, radius = (float(word) for word in words[:3])
    return mini_mias_circle(x, y, radius, SIZE_PX)


def _lines(info: Path) -> list[tuple[str, list[str]]]:
    """(film, the words after it) for each line that begins with a film's name; headings and notes are passed over."""
    lines = (line.split() for line in info.read_text("latin-1").splitlines())
    return [(words[0].lower(), words[1:]) for words in lines if len(words) > 1 and _NAME.fullmatch(words[0])]


def _info_file(folder: Path) -> Path | None:
    """`Info.txt` in the folder, or in its only sub-folder that has one (archives often wrap everything in one)."""
    here = _named_info(folder)
    if here or not folder.is_dir():
        return here
    deeper = [found for child in sorted(folder.iterdir()) if child.is_dir() and (found := _named_info(child))]
    return deeper[0] if len(deeper) == 1 else None


def _named_info(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == "info.txt"), None)


def _films(folder: Path) -> dict[str, Path]:
    """Films by lower-case name; where a film is there twice, the original `.pgm` wins."""
    found: dict[str, Path] = {}
    for place in (folder, folder / "images"):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            name, suffix = path.stem.lower(), path.suffix.lower()
            if suffix not in _SUFFIXES or not _NAME.fullmatch(name):
                continue
            known = found.get(name)
            if known is None or _SUFFIXES.index(suffix) < _SUFFIXES.index(known.suffix.lower()):
                found[name] = path
    return found
