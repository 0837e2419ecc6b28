"""DDSM films with tissue labels: 66 MLO views, one a patient, each with an image of four grey values.

Read from `labels.csv`, `images/` and `labels/`.

- The tissue is a mark of kind `label_map` on a finding of type `other`, subtype `tissue`; an image is never complete,
  because nothing says whether it shows a lesion.
- All file names say RIGHT, and yet breasts face either way: some films are mirrored. The side is therefore unknown
  (flag `laterality_unknown`).
- The letter in the name is the volume of DDSM and no density class. What is known is the share of dense tissue, from
  the labels: 100 x dense / (dense + fat), the muscle left out.
- Images were resized to 480 x 960 whatever the film's shape: flagged `squashed`; the size of a pixel is not known.
- The authors' six test films stay test films.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ml.datasets.reading import DatasetError, label_rows, picture
from ml.datasets.splits import stratified
from ml.runs.manifest import Density, Finding, ManifestRow, Mark

NAME = "ddsm-tissue-seg"
SOURCE = "DDSM films with tissue annotations by V. M. Tiryaki and V. Kaplanoglu"
LICENCE = "GPL-3.0 (repository of the annotations); DDSM: University of South Florida, cite the paper."
CITATION = (
    'V. M. Tiryaki, V. Kaplanoglu (2022) "Deep learning-based multi-label tissue segmentation and density assessment '
    'from mammograms", IRBM, DOI 10.1016/j.irbm.2022.05.004; M. Heath et al. (2000) "The Digital Database for '
    'Screening Mammography", Proc. 5th International Workshop on Digital Mammography.'
)
COLUMNS = {"file", "label_file", "case_id", "view", "percent_dense", "source_part"}
CLASSES = {"background": 64, "fat": 128, "dense": 192, "pectoral": 255}
"""Tissue to its grey value in a label image."""
FLAGS = ("laterality_unknown", "squashed")
_DENSE_FROM = (25.0, 50.0, 75.0)
"""Quarters of density, for spreading it over the splits alone: no class of BI-RADS."""
_LEARNING = {"train": 0.85, "val": 0.15}


def manifest_rows(folder: Path, *, seed: int | str = 0) -> list[ManifestRow]:
    """One row a film, in the order of the labels. Raises DatasetError."""
    labels = label_rows(folder, COLUMNS)
    splits = _splits(labels, seed)
    return [_row(folder, label, splits[label["case_id"]]) for label in labels]


def _splits(labels: list[dict[str, str]], seed: int | str) -> dict[str, str]:
    learning = {row["case_id"]: {_quarter(row)} for row in labels if row["source_part"] != "test"}
    return {row["case_id"]: "test" for row in labels} | stratified(learning, _LEARNING, seed=seed)


def _quarter(row: Mapping[str, str]) -> str:
    return f"dense:{sum(_percent(row) >= limit for limit in _DENSE_FROM)}"


def _percent(row: Mapping[str, str]) -> float:
    try:
        return float(row["percent_dense"])
    except ValueError:
        raise DatasetError(f"{row['file']} has no share of dense tissue.") from None


def _row(folder: Path, label: Mapping[str, str], split: str) -> ManifestRow:
    image, tissue = picture(folder, label["file"]), picture(folder, label["label_file"])
    if (tissue.rows, tissue.cols) != (image.rows, image.cols):
        raise DatasetError(f"{label['label_file']} does not have the size of its image.")
    stem, patient = Path(image.path).stem, f"ddsm:{label['case_id']}"
    mark = Mark(
        mark_id=f"{stem}:tissue",
        kind="label_map",
        geometry={"path": tissue.path, "classes": dict(CLASSES)},
        provenance="imported",
    )
    return ManifestRow(
        image_id=stem,
        exam_id=patient,
        patient_id=patient,
        view="MLO" if label["view"] == "MLO" else None,
        rows=image.rows,
        cols=image.cols,
        pixel_path=image.path,
        pixel_format="png8",
        sha256=image.sha256,
        presentation="film",
        bits_stored=8,
        dataset=NAME,
        density=Density(label=None, percent=_percent(label)),
        findings=(Finding(finding_id=f"{stem}:tissue", type="other", subtype="tissue", marks=(mark,)),),
        complete=False,
        split=split,  # type: ignore[arg-type] # one of SHARES
        flags=FLAGS,
    )
