"""manifest.jsonl: one row per image, with everything that a method may learn from.

Coordinates are source pixels, origin at the outer corner of the top-left pixel, x right, y down; boxes
`[x0, y0, x1, y1]` half-open. Unknown is null. Density labels are A-D here and a-d in the API: `density_to_ml` and
`density_to_api` are the one place that converts.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ml.runs import atomic, versions
from ml.runs.errors import invalid
from ml.runs.records import RecordError, from_dict, to_dict

_WRITES = "rows of your own get theirs by: python -m ml manifest own PIXELS RUN_DIR --rows FILE"

Split = Literal["train", "val", "test", "audit", "pool"]
DensityLabel = Literal["A", "B", "C", "D"]
TISSUES = ("background", "fat", "dense", "pectoral")
"""What a label map may name; a grey value that it does not name is background."""
DENSITY_LABELS: tuple[DensityLabel, ...] = get_args(DensityLabel)
MarkKind = Literal["point", "box", "circle", "ellipse", "polygon", "mask", "label_map"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One geometry in one image.

    point [x, y]; box [x0, y0, x1, y1]; circle [cx, cy, r]; ellipse [cx, cy, rx, ry, degrees]; polygon
    [ring, hole...] with ring [[x, y], ...] without a repeated last point; mask {path, box?}: 8-bit PNG, non-zero =
    inside, of several regions in one file the one in the box; label_map {path, classes: {tissue: grey value}}. Paths
    are relative to `pixels_root`. A mask beside another shape in one finding is the exact outline of the same place.
    """

    mark_id: str
    kind: MarkKind
    geometry: Any
    reader: str | None = None
    provenance: Literal["human", "model_accepted", "model_edited", "imported"] = "human"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One lesion as seen in one image; the same `finding_id` in several rows is the same lesion."""

    finding_id: str
    type: Literal["mass", "calcification", "asymmetry", "architectural_distortion", "other"]
    subtype: str | None = None
    pathology: Literal["benign", "malignant", "unknown"] = "unknown"
    birads: str | None = None
    difficulty: str | None = None
    marks: tuple[Mark, ...] = ()
    reader_marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DensityReading:
    """What one reader said."""

    reader: str
    label: DensityLabel


@dataclass(frozen=True, kw_only=True, slots=True)
class Density:
    """Density of the exam; `label` is null if its readers tie. tissue3 = the three classes of a film data set.

    percent: share of dense tissue in the breast, 0 to 100, where it was measured; it may stand without a label.
    """

    label: DensityLabel | None
    scale: Literal["birads", "tissue3"] = "birads"
    source_label: str | None = None
    readers: tuple[DensityReading, ...] = ()
    agreed: bool = True
    percent: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Cancer in this breast within `months`."""

    cancer: Literal[0, 1] | None = None
    months: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestRow:
    """One image of one exam of one patient."""

    image_id: str
    exam_id: str
    patient_id: str
    laterality: Literal["R", "L"] | None = None
    view: Literal["CC", "MLO", "ML", "LM", "XCCL", "SPOT", "MAG", "OTHER"] | None = None
    rows: int
    cols: int
    pixel_path: str
    pixel_format: Literal["dicom", "png16", "png8", "tiff", "npy", "pgm", "jpeg", "ljpeg"] = "dicom"
    sha256: str | None = None
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"
    presentation: Literal["for_processing", "for_presentation", "film", "unknown"] = "unknown"
    bits_stored: int | None = None
    spacing_mm: tuple[float, float] | None = None
    spacing_source: Literal["imager", "pixel", "dataset", "user", "unknown"] = "unknown"
    image_kind: Literal["standard", "low_energy", "subtracted", "synthetic_2d"] = "standard"
    dataset: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    age_band: Literal["<40", "40-49", "50-59", "60-69", ">=70"] | None = None
    density: Density | None = None
    findings: tuple[Finding, ...] = ()
    complete: bool = False
    outcome: Outcome | None = None
    split: Split = "pool"
    weight: float = 1.0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ManifestMeta:
    """manifest.meta.json. `pixels_root` is the folder that `pixel_path` starts from."""

    schema: str = versions.tag("manifest")
    rows: int
    sha256: str
    snapshot_id: str | None = None
    pixels_root: str = "."
    sources: tuple[dict[str, Any], ...] = field(default_factory=tuple)


def density_to_ml(letter: str | None) -> DensityLabel | None:
    """a-d of the API to A-D; None for whatever else."""
    return next((label for label in DENSITY_LABELS if label.lower() == letter), None)


def density_to_api(letter: str | None) -> str | None:
    """A-D to a-d of the API."""
    return letter.lower() if letter else None


def write_manifest(
    run_dir: Path,
    rows: Iterable[ManifestRow],
    *,
    pixels_root: Path | str,
    snapshot_id: str | None = None,
    sources: Iterable[dict[str, Any]] = (),
) -> ManifestMeta:
    """Write manifest.jsonl and manifest.meta.json."""
    count = 0

    def documents() -> Iterator[Any]:
        nonlocal count
        for row in rows:
            count += 1
            yield to_dict(row)

    digest = atomic.write_lines(run_dir / "manifest.jsonl", documents())
    meta = ManifestMeta(
        rows=count, sha256=digest, snapshot_id=snapshot_id, pixels_root=str(pixels_root), sources=tuple(sources)
    )
    atomic.write_json(run_dir / "manifest.meta.json", to_dict(meta))
    return meta


def read_meta(run_dir: Path) -> ManifestMeta:
    """manifest.meta.json. Raises RunRefused (exit 2)."""
    try:
        document = json.loads((run_dir / "manifest.meta.json").read_text())
        versions.require(document, "manifest")
        return from_dict(ManifestMeta, document)
    except FileNotFoundError:
        text = f"{run_dir} has no manifest.meta.json; {_WRITES}"
        raise invalid("manifest_unreadable", text) from None
    except (OSError, ValueError) as error:
        raise invalid("manifest_unreadable", f"manifest.meta.json cannot be read: {error}") from None


def read_manifest(run_dir: Path) -> list[ManifestRow]:
    """All rows, checked against the hash in the meta file. Raises RunRefused (exit 2)."""
    meta = read_meta(run_dir)
    try:
        content = (run_dir / "manifest.jsonl").read_bytes()
    except OSError as error:
        raise invalid("manifest_unreadable", f"manifest.jsonl cannot be read: {type(error).__name__}") from None
    if hashlib.sha256(content).hexdigest() != meta.sha256:
        raise invalid("manifest_changed", f"manifest.jsonl does not have the hash of manifest.meta.json; {_WRITES}")
    return [_row(line, number) for number, line in enumerate(content.splitlines(), 1)]


def _row(line: bytes, number: int) -> ManifestRow:
    try:
        return from_dict(ManifestRow, json.loads(line))
    except (RecordError, ValueError) as error:
        raise invalid("manifest_invalid", f"manifest.jsonl line {number}: {error}", line=number) from None


def patient_or_image(patient_id: str | None, image_id: str) -> tuple[str, tuple[str, ...]]:
    """A patient id that is never null, and the flag that says when it stands for an unknown patient."""
    return (patient_id, ()) if patient_id else (f"img:{image_id}", ("patient_unknown",))
