"""CDD-CESM, whole four-view exams: the subtracted images alone, with what became of each breast and no outlines.

Read from `labels.csv` and `images/`.

- The images were squeezed to 512 x 512 without keeping their shape, so breasts look stretched sideways: flagged
  `squashed`. Nothing may be measured on them.
- The outcome is the breast's: malignant in either view is cancer. A patient's other side can be normal.
- Findings have no place, so only normal images are complete. `Benign` may stand beside "non enhancement": what was
  benign is seen in the low-energy image, which is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from ml.datasets import cdd_cesm
from ml.datasets.reading import DatasetError, label_rows, picture
from ml.runs.manifest import DensityLabel, Finding, ManifestRow, Outcome

NAME = "cdd-cesm-cm512"
SOURCE, LICENCE, CITATION = cdd_cesm.SOURCE, cdd_cesm.LICENCE, cdd_cesm.CITATION
COLUMNS = cdd_cesm.COLUMNS | {"density_acr_dm_row"}
SQUASHED = "squashed"
PATHOLOGY: Mapping[str, Literal["benign", "malignant"] | None] = {
    "Normal": None,
    "Benign": "benign",
    "Malignant": "malignant",
}


def manifest_rows(folder: Path, *, seed: int | str = 0) -> list[ManifestRow]:
    """One row an image, in the order of the labels. Raises DatasetError."""
    labels = label_rows(folder, COLUMNS)
    if unknown := sorted({row["pathology"] for row in labels} - PATHOLOGY.keys()):
        raise DatasetError(f"labels.csv has an unknown pathology: {unknown[0]}.")
    densities = cdd_cesm.densities_of(labels, "density_acr_dm_row")
    splits = cdd_cesm.splits_of(labels, densities, seed)
    cancers = cancers_of(labels)
    return [_row(folder, label, densities, splits, _breast(label) in cancers) for label in labels]


def cancers_of(labels: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    """(patient, side) of the breasts of which any view is malignant."""
    return {_breast(label) for label in labels if label["pathology"] == "Malignant"}


def _breast(label: Mapping[str, str]) -> tuple[str, str]:
    return label["patient_id"], label["side"]


def _row(
    folder: Path,
    label: Mapping[str, str],
    densities: Mapping[str, DensityLabel],
    splits: Mapping[str, str],
    cancer: bool,
) -> ManifestRow:
    image, patient = picture(folder, label["file"]), cdd_cesm.patient_of(label)
    return ManifestRow(
        **cdd_cesm.common(label, image, name=NAME, density=densities.get(patient)),
        pixel_format="png8",
        findings=_findings(label, Path(image.path).stem),
        complete=label["pathology"] == "Normal",
        outcome=Outcome(cancer=1 if cancer else 0),
        split=splits[patient],  # type: ignore[arg-type] # one of SHARES
        flags=(SQUASHED,),
    )


def _findings(label: Mapping[str, str], stem: str) -> tuple[Finding, ...]:
    """One finding a part of the description, with its own BI-RADS where as many are given; none for a normal image."""
    pathology = PATHOLOGY[label["pathology"]]
    if pathology is None:
        return ()
    words, birads = cdd_cesm.parts(label["findings"]), cdd_cesm.parts(label["birads"])
    pairs = zip_longest(words, birads[: len(words)])
    return tuple(
        Finding(
            finding_id=f"{stem}:{n}",
            type=cdd_cesm.kind_of(part or ""),
            subtype=cdd_cesm.margin_of(part or ""),
            pathology=pathology,
            birads=category or cdd_cesm.worst_birads(label["birads"]),
        )
        for n, (part, category) in enumerate(pairs, start=1)
    )
