"""What a manifest must hold before anything is learned from it. Under 2 s for 100,000 rows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml.geometry.shapes import bounds
from ml.runs.errors import refused
from ml.runs.manifest import TISSUES, Finding, ManifestRow, Mark
from ml.runs.needs import Need, label_counts, missing
from ml.runs.request import USUAL_KINDS

TOLERANCE_PX = 1.0


@dataclass(frozen=True)
class Checked:
    """The rows to use (marks clipped to their image) and warnings as (code, text, example image id)."""

    rows: list[ManifestRow]
    warnings: list[tuple[str, str, str]]


def validate(
    rows: Sequence[ManifestRow], *, needs: Iterable[Need] = (), findings: Sequence[str] = (),
    kinds: Sequence[str] = USUAL_KINDS, target: str | None = None,
) -> Checked:  # fmt: skip
    """Check ids, geometry, leakage between splits and the labels that a method needs.

    Raises RunRefused (exit 3): `duplicate_row`, `geometry_outside`, `geometry_invalid`, `leakage_patient`,
    `leakage_file`, `labels_missing`.
    """
    _require_unique(rows)
    require_no_leakage(rows)
    checked, warnings = _clipped(rows)
    if sentences := missing(needs, label_counts(checked, findings, kinds, target)):
        raise refused("labels_missing", " ".join(sentences))
    if any("patient_unknown" in row.flags for row in checked):
        warnings.append(("patient_unknown", "an image of an unknown patient counts as a patient of its own", ""))
    return Checked(checked, warnings)


def _require_unique(rows: Sequence[ManifestRow]) -> None:
    twice = [key for key, count in Counter((row.exam_id, row.image_id) for row in rows).items() if count > 1]
    if twice:
        raise refused(
            "duplicate_row", f"{len(twice)} images are listed twice", examples=[list(key) for key in twice[:5]]
        )


def require_no_leakage(rows: Sequence[ManifestRow]) -> None:
    """A patient, and a file, belong to one split. Raises RunRefused (exit 3).

    Unlabelled exams of training patients are `pool`: train and pool are one side.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    files: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        side = _side(row.split)
        splits[row.patient_id].add(side)
        if row.sha256:
            files[row.sha256].add((row.patient_id, side))
    mixed = sorted(patient for patient, sides in splits.items() if len(sides) > 1)
    if mixed:
        raise refused("leakage_patient", f"{len(mixed)} patients are in more than one split", examples=mixed[:5])
    shared = [digest for digest, seen in files.items() if len({side for _, side in seen}) > 1]
    if shared:
        raise refused("leakage_file", f"{len(shared)} files are in more than one split", examples=shared[:5])


def _side(split: str) -> str:
    return "train" if split == "pool" else split


def _clipped(rows: Sequence[ManifestRow]) -> tuple[list[ManifestRow], list[tuple[str, str, str]]]:
    checked, warnings = [], []
    for row in rows:
        if not row.findings:
            checked.append(row)
            continue
        changed = False
        findings: list[Finding] = []
        for finding in row.findings:
            marks = tuple(_check_mark(mark, row) for mark in finding.marks)
            changed |= marks != finding.marks
            findings.append(replace(finding, marks=marks))
        if changed:
            warnings.append(("geometry_clipped", "a mark reached over the image's edge and was clipped", row.image_id))
        checked.append(replace(row, findings=tuple(findings)) if changed else row)
    return checked, warnings


def _check_mark(mark: Mark, row: ManifestRow) -> Mark:
    if mark.kind == "label_map" and not _says_what_values_mean(mark.geometry):
        names = ", ".join(TISSUES)
        raise refused("geometry_invalid", f"a label_map gives the grey values of {names}", image_id=row.image_id)
    if mark.kind in ("mask", "label_map"):
        return mark
    try:
        left, top, right, bottom = bounds_px(mark)
    except (TypeError, ValueError, IndexError) as error:
        raise refused("geometry_invalid", f"a {mark.kind} is not valid: {error}", image_id=row.image_id) from None
    if right < 0 or bottom < 0 or left > row.cols or top > row.rows:
        raise refused("geometry_outside", f"a {mark.kind} lies wholly outside its image", image_id=row.image_id)
    inside = (
        left >= -TOLERANCE_PX
        and top >= -TOLERANCE_PX
        and right <= row.cols + TOLERANCE_PX
        and bottom <= row.rows + TOLERANCE_PX
    )
    # A circle or an ellipse at the chest wall may reach over the edge: it stays as it was drawn, its box is clipped
    # where a box is made of it. Boxes and polygons are clipped here.
    if inside or mark.kind in ("circle", "ellipse", "point"):
        return mark
    return replace(mark, geometry=_clip(mark, row))


def _says_what_values_mean(geometry: Any) -> bool:
    values = geometry.get("classes") if isinstance(geometry, Mapping) else None
    if not isinstance(values, Mapping) or not values or not set(values) <= set(TISSUES):
        return False
    return all(isinstance(value, int) and 0 <= value < 256 for value in values.values())


def _clip(mark: Mark, row: ManifestRow) -> Any:
    def point(xy: Sequence[float]) -> list[float]:
        return [min(max(xy[0], 0.0), float(row.cols)), min(max(xy[1], 0.0), float(row.rows))]

    if mark.kind == "box":
        return point(mark.geometry[:2]) + point(mark.geometry[2:])
    return [[point(xy) for xy in ring] for ring in mark.geometry]


def bounds_px(mark: Mark) -> tuple[float, float, float, float]:
    """Bounding box of a mark in source pixels. Raises ValueError for a shape without extent."""
    left, top, right, bottom = bounds(mark.kind, mark.geometry)
    if mark.kind != "point" and not (right > left and bottom > top):
        raise ValueError("no area")
    return left, top, right, bottom
