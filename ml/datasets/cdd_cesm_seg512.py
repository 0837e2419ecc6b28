"""CDD-CESM with lesion masks: images padded to a square and resized to 512 x 512, all of malignant breasts.

Read from `labels.csv`, `images/`, `masks/` and, where it is there, `via_regions_512.csv`.

- One finding a drawn region, with its polygon or circle (fitted to the small image: 0.92 or more of the mask's area,
  0.98 in the median) and the exact mask beside it. Where an image has several regions they share one mask file, and a
  mark says which box of it is the region's.
- The words describe the image, not the region, so all its regions are of the kind that the words name first; images
  whose words name several kinds, or none, are not complete, the former flagged `several_findings`.
- Regions of two views are not tied together: a lesion seen in both counts as two findings.
- There are no normals. BI-RADS 1 beside a malignant mask is real, not a copy error; those images are not complete.
- The black padding is part of the image, and the size of a pixel is not known.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.datasets import cdd_cesm
from ml.datasets.reading import DatasetError, Picture, label_rows, picture
from ml.geometry.shapes import bounds
from ml.runs.manifest import DensityLabel, Finding, ManifestRow, Mark, MarkKind, Outcome

NAME = "cdd-cesm-seg512"
SOURCE, LICENCE, CITATION = cdd_cesm.SOURCE, cdd_cesm.LICENCE, cdd_cesm.CITATION
COLUMNS = cdd_cesm.COLUMNS | {"mask", "density_acr"}
SEVERAL = "several_findings"

Region = tuple[MarkKind, list[Any]]
"""Kind and geometry of one drawn region, in pixels of the small image."""


def manifest_rows(folder: Path, *, seed: int | str = 0) -> list[ManifestRow]:
    """One row an image, in the order of the labels. Raises DatasetError."""
    labels = label_rows(folder, COLUMNS)
    densities = cdd_cesm.densities_of(labels, "density_acr")
    splits = cdd_cesm.splits_of(labels, densities, seed)
    regions = regions_of(folder / "via_regions_512.csv")
    return [_row(folder, label, regions, densities, splits) for label in labels]


def regions_of(table: Path) -> dict[str, list[Region]]:
    """File names to their drawn regions; empty where there is no table. Raises DatasetError on a shape without area."""
    found: dict[str, list[Region]] = defaultdict(list)
    if table.exists():
        with table.open(newline="", encoding="utf-8") as opened:
            for row in csv.DictReader(opened):
                found[row["#filename"].strip()].append(_region(json.loads(row["region_shape_attributes"])))
    return found


def _region(shape: Mapping[str, Any]) -> Region:
    if shape["name"] == "circle":
        return "circle", [float(shape["cx"]), float(shape["cy"]), float(shape["r"])]
    if shape["name"] != "polygon":
        raise DatasetError(f"A region is a {shape['name']}, which has no area.")
    ring = [[float(x), float(y)] for x, y in zip(shape["all_points_x"], shape["all_points_y"], strict=True)]
    return "polygon", [ring[:-1] if ring[0] == ring[-1] else ring]


def _row(
    folder: Path,
    label: Mapping[str, str],
    regions: Mapping[str, Sequence[Region]],
    densities: Mapping[str, DensityLabel],
    splits: Mapping[str, str],
) -> ManifestRow:
    image, mask = picture(folder, label["file"]), picture(folder, label["mask"])
    if (mask.rows, mask.cols) != (image.rows, image.cols):
        raise DatasetError(f"{label['mask']} does not have the size of its image.")
    patient, kinds = cdd_cesm.patient_of(label), cdd_cesm.kinds_in(label["findings"])
    return ManifestRow(
        **cdd_cesm.common(label, image, name=NAME, density=densities.get(patient)),
        pixel_format="jpeg",
        findings=_findings(label, image, mask, regions.get(Path(image.path).name, ())),
        complete=len(kinds) == 1 and cdd_cesm.worst_birads(label["birads"]) != "1",
        outcome=Outcome(cancer=1),
        split=splits[patient],  # type: ignore[arg-type] # one of SHARES
        flags=(SEVERAL,) if len(kinds) > 1 else (),
    )


def _findings(
    label: Mapping[str, str], image: Picture, mask: Picture, regions: Sequence[Region]
) -> tuple[Finding, ...]:
    stem, several = Path(image.path).stem, len(regions) > 1
    words = next(iter(cdd_cesm.parts(label["findings"])), "")
    return tuple(
        Finding(
            finding_id=f"{stem}:{n}",
            type=cdd_cesm.kind_of(words),
            subtype=cdd_cesm.margin_of(words),
            pathology="malignant",
            birads=cdd_cesm.worst_birads(label["birads"]),
            marks=_marks(f"{stem}:{n}", mask, region, several),
        )
        for n, region in enumerate(regions or [None], start=1)
    )


def _marks(key: str, mask: Picture, region: Region | None, several: bool) -> tuple[Mark, ...]:
    geometry: dict[str, Any] = {"path": mask.path}
    drawn = []
    if region is not None:
        kind, shape = region
        drawn.append(Mark(mark_id=f"{key}:shape", kind=kind, geometry=shape, provenance="imported"))
        if several:
            geometry["box"] = list(bounds(kind, shape))
    return *drawn, Mark(mark_id=f"{key}:mask", kind="mask", geometry=geometry, provenance="imported")
