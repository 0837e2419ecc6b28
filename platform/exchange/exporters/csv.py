"""CSV: `images.csv` has a row for every image, normals included; `findings.csv` a row for every mark, and one for a
finding that has no mark. Geometry is JSON in stored pixels with the corner origin.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exchange.exporters.names import file_name
from ml.geometry.shapes import bounds

Items = Callable[[], Iterable[Mapping[str, Any]]]
IMAGE_COLUMNS = (
    "file_name", "image_id", "exam_id", "patient_id", "split", "laterality", "view", "rows", "cols", "spacing_row_mm",
    "spacing_col_mm", "density", "density_source", "breast_density", "breast_birads", "normal", "findings", "marks",
    "presentation", "sop_uid", "sha256",
)  # fmt: skip
FINDING_COLUMNS = (
    "finding_id", "mark_id", "exam_id", "patient_id", "split", "type", "subtype", "birads", "pathology", "laterality",
    "difficulty", "source_label", "file_name", "image_id", "frame", "kind", "geometry", "x0", "y0", "x1", "y1",
    "provenance",
)  # fmt: skip
#: A cell that begins so is run as a formula by spreadsheets; a quote in front keeps it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(items: Items, folder: Path) -> None:
    """Write both tables, exam by exam."""
    _table(folder / "images.csv", IMAGE_COLUMNS, (row for item in items() for row in image_rows(item)))
    _table(folder / "findings.csv", FINDING_COLUMNS, (row for item in items() for row in finding_rows(item)))


def image_rows(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row an image. `normal` is the exam's: no finding at all; `findings` counts those marked in this image."""
    for image in item["images"]:
        here = [
            (finding, [mark for mark in finding["marks"] if mark["image_id"] == image["id"]])
            for finding in item["findings"]
        ]
        breast = item["breasts"].get(image["laterality"] or "", {})
        row_mm, col_mm = image["spacing_mm"] or (None, None)
        yield {
            **_of_exam(item),
            "file_name": file_name(image),
            "image_id": image["id"],
            "laterality": image["laterality"],
            "view": image["view"],
            "rows": image["rows"],
            "cols": image["cols"],
            "spacing_row_mm": row_mm,
            "spacing_col_mm": col_mm,
            "density": item["density"]["label"],
            "density_source": item["density"]["source"],
            "breast_density": breast.get("density"),
            "breast_birads": breast.get("birads"),
            "normal": int(not item["findings"]),
            "findings": sum(bool(marks) for _, marks in here),
            "marks": sum(len(marks) for _, marks in here),
            "presentation": image["presentation"],
            "sop_uid": image["sop_uid"],
            "sha256": image["sha256"],
        }


def finding_rows(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row a mark; a finding without a mark has one row with no image, unless only one image can be meant."""
    by_id = {image["id"]: image for image in item["images"]}
    for finding in item["findings"]:
        common = {
            **_of_exam(item),
            **{key: finding.get(key) for key in ("type", "subtype", "birads", "pathology", "laterality")},
            **{key: finding.get(key) for key in ("difficulty", "source_label")},
            "finding_id": finding["id"],
        }
        for mark in finding["marks"]:
            image = by_id.get(mark["image_id"])
            x0, y0, x1, y1 = bounds(mark["kind"], mark["geometry"])
            yield {
                **common,
                "mark_id": mark["id"],
                "file_name": file_name(image) if image else None,
                "image_id": mark["image_id"],
                "frame": mark.get("frame", 1),
                "kind": mark["kind"],
                "geometry": json.dumps(mark["geometry"], separators=(",", ":")),
                "x0": x0,
                "y0": y0,
                "x1": x1,
                "y1": y1,
                "provenance": mark.get("provenance"),
            }
        if not finding["marks"]:
            same_side = [image for image in item["images"] if image["laterality"] == finding.get("laterality")]
            only = same_side[0] if len(same_side) == 1 else None
            yield {**common, "file_name": file_name(only) if only else None, "image_id": only["id"] if only else None}


def _of_exam(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"exam_id": item["exam"]["id"], "patient_id": item["patient"]["id"], "split": item["split"]}


def _table(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({column: _cell(row.get(column)) for column in columns})


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
