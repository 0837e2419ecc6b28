"""COCO JSON: every image of the snapshot, normals included, one annotation a mark.

`bbox` is `[x, y, width, height]` with the corner origin that we store in, so no half pixel is added. A circle's box is
unclipped `[cx - r, cy - r, 2r, 2r]`, so that circle and box say the same. A finding without a mark has no annotation
(the CSV has it). `difficulty: ignore` also sets pycocotools' own `ignore`.

Source: COCO data format (Lin et al. 2014), https://cocodataset.org/#format-data.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from exchange.exporters.names import file_name
from exchange.rules import FINDING_TYPES
from ml.geometry.convert import coco_bbox, coco_segmentation
from ml.geometry.shapes import area

Items = Callable[[], Iterable[Mapping[str, Any]]]
CATEGORIES = [
    {"id": number, "name": name, "supercategory": "finding"} for number, name in enumerate(FINDING_TYPES, start=1)
]
CATEGORY_OF = {str(category["name"]): category["id"] for category in CATEGORIES}
FILE = "annotations.json"


def write(items: Items, folder: Path) -> None:
    """Write `annotations.json`, exam by exam: memory does not grow with the snapshot."""
    marks = folder / ".marks"
    with (folder / FILE).open("w", encoding="utf-8", newline="\n") as file, marks.open("w+", encoding="utf-8") as side:
        file.write('{"info":' + _line({"description": "MammoLoop snapshot; see README.md beside this file"}))
        file.write(',\n"categories":' + _line(CATEGORIES))
        file.write(',\n"images":[')
        _write_images_and_marks(items(), file, side)
        file.write('\n],\n"annotations":[')
        side.seek(0)
        shutil.copyfileobj(side, file)
        file.write("\n]}\n")
    marks.unlink()


def _write_images_and_marks(items: Iterable[Mapping[str, Any]], images: TextIO, marks: TextIO) -> None:
    image_number = mark_number = 0
    for item in items:
        numbers = {}
        for image in item["images"]:
            image_number += 1
            numbers[image["id"]] = image_number
            images.write(("," if image_number > 1 else "") + "\n" + _line(image_row(image_number, item, image)))
        for finding, mark in _marks(item):
            mark_number += 1
            row = annotation_row(mark_number, numbers[mark["image_id"]], finding, mark)
            marks.write(("," if mark_number > 1 else "") + "\n" + _line(row))


def _marks(item: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    shown = {image["id"] for image in item["images"]}
    for finding in item["findings"]:
        for mark in finding["marks"]:
            if mark["image_id"] in shown:
                yield finding, mark


def image_row(number: int, item: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `images`; what COCO has no word for stands under our own names."""
    return {
        "id": number,
        "file_name": file_name(image),
        "width": image["cols"],
        "height": image["rows"],
        "exam_id": item["exam"]["id"],
        "patient_id": item["patient"]["id"],
        "split": item["split"],
        "laterality": image["laterality"],
        "view": image["view"],
        "density": item["density"]["label"],
        "density_source": item["density"]["source"],
        "normal": not item["findings"],
        "spacing_mm": image["spacing_mm"],
        "sop_uid": image["sop_uid"],
        "sha256": image["sha256"],
    }


def annotation_row(number: int, image: int, finding: Mapping[str, Any], mark: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `annotations` from a mark; `geometry` keeps the mark as it was drawn."""
    kind, geometry = mark["kind"], mark["geometry"]
    ignored = finding.get("difficulty") == "ignore"
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORY_OF[finding["type"]],
        "bbox": coco_bbox(kind, geometry),
        "segmentation": coco_segmentation(kind, geometry),
        "area": area(kind, geometry),
        "iscrowd": 0,
        "ignore": int(ignored),
        "difficulty": finding.get("difficulty"),
        "finding_id": finding["id"],
        "mark_id": mark["id"],
        "birads": finding.get("birads"),
        "pathology": finding.get("pathology"),
        "subtype": finding.get("subtype"),
        "source_label": finding.get("source_label"),
        "kind": kind,
        "geometry": geometry,
        "frame": mark.get("frame", 1),
        "provenance": mark.get("provenance"),
    }


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
