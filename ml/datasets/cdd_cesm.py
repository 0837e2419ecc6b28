"""CDD-CESM, contrast mammography: what its two folders share. Words to findings, density, age, sides.

Each exposure has a low-energy image (`DM`, read like an ordinary mammogram) and a subtracted one (`CM`, what took up
contrast agent). Patients have the same number in both folders. The density of a `CM` image is that of its `DM` image.

What the tables say and what is made of it:

- `_` is "not given"; BI-RADS and findings of several lesions are joined with `$`; "spiculated" is spelt "speculated".
- The kind of a finding is what its words name first: "architectural distortion and mass" is a distortion. The first of
  several findings joined with `$` is the main one.
- Enhancement without a mass and foci are `other`, and so is what names none of the kinds (edema, lymph nodes).
- A patient's density is that of the denser breast, for all of the patient's images.
- `machine` is 1 or 2; which maker that is, the tables do not say, so they stand as they are.

Source: R. Khaled et al., Scientific Data 9, 122 (2022), and the tables themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ml.datasets.reading import DatasetError, Picture, age_band
from ml.datasets.splits import stratified
from ml.runs.manifest import DENSITY_LABELS, Density, DensityLabel, DensityReading

SOURCE = "CDD-CESM: Categorized Digital Database for Low energy and Subtracted Contrast Enhanced Spectral Mammography"
LICENCE = "CC BY 4.0 (TCIA data usage policy)"
CITATION = (
    'R. Khaled et al. (2021) "Categorized Digital Database for Low energy and Subtracted Contrast Enhanced Spectral '
    'Mammography images" [Dataset], The Cancer Imaging Archive, DOI 10.7937/29kw-ae92; Scientific Data 9, 122 (2022), '
    "DOI 10.1038/s41597-022-01238-0."
)
COLUMNS = {"file", "patient_id", "side", "type", "view", "age", "birads", "findings", "tags", "machine", "pathology"}
IMAGE_KIND: Mapping[str, str] = {"DM": "low_energy", "CM": "subtracted"}
NOT_GIVEN = "_"

FindingType = Literal["mass", "calcification", "asymmetry", "architectural_distortion", "other"]
_NO_MASS = re.compile(r"\b(?:non|no)[ -]?mass\b")
_WORDS: Mapping[FindingType, str] = {
    "other": r"nonmass|\bfoci\b",
    "mass": r"\bmass(?:es)?\b|\bnodules?\b",
    "architectural_distortion": r"distortion",
    "asymmetry": r"asymmetr|nodular increased density",
    "calcification": r"calcif",
}
_MARGINS = (
    ("spiculated", r"speculated"),
    ("microlobulated", r"microlobulated"),
    ("ill_defined", r"indistinct|ill defined"),
    ("circumscribed", r"circumscribed"),
)


def kinds_in(words: str) -> list[FindingType]:
    """The kinds of finding that a description names, in the order of its words, each once; `[]` where it names none."""
    text = _NO_MASS.sub("nonmass", words.lower())
    first = {kind: hit.start() for kind, pattern in _WORDS.items() if (hit := re.search(pattern, text))}
    return sorted(first, key=lambda kind: first[kind])


def kind_of(words: str) -> FindingType:
    """The kind that a description names first; `other` where it names none."""
    return next(iter(kinds_in(words)), "other")


def margin_of(words: str) -> str | None:
    """The margin of a mass, in the words of the other sets; None where none is named or it is no mass."""
    if kind_of(words) != "mass":
        return None
    return next((margin for margin, pattern in _MARGINS if re.search(pattern, words.lower())), None)


def parts(joined: str) -> list[str]:
    """The values of a cell that holds several, without empty ones."""
    return [part for part in (word.strip() for word in joined.split("$")) if part]


def worst_birads(joined: str) -> str | None:
    """The highest category of a cell; None where none is given."""
    return max((part for part in parts(joined) if part.isdigit()), default=None)


def common(row: Mapping[str, str], image: Picture, *, name: str, density: DensityLabel | None) -> dict[str, Any]:
    """The fields of a manifest row that both folders fill alike. Raises DatasetError on an unknown side or kind."""
    if row["side"] not in ("L", "R") or row["view"] not in ("CC", "MLO") or row["type"] not in IMAGE_KIND:
        raise DatasetError(f"{row['file']} has an unknown side, view or type.")
    patient = patient_of(row)
    return {
        "image_id": Path(image.path).stem,
        "exam_id": patient,
        "patient_id": patient,
        "laterality": row["side"],
        "view": row["view"],
        "rows": image.rows,
        "cols": image.cols,
        "pixel_path": image.path,
        "sha256": image.sha256,
        "photometric": "MONOCHROME2",
        "presentation": "for_presentation",
        "bits_stored": 8,
        "image_kind": IMAGE_KIND[row["type"]],
        "dataset": name,
        "manufacturer": f"CDD-CESM machine {row['machine']}" if row["machine"].isdigit() else None,
        "age_band": age_band(row["age"]),
        "density": _density(density, name),
    }


def patient_of(row: Mapping[str, str]) -> str:
    """The patient's id, the same in both folders: `cdd-cesm:P45`."""
    return f"cdd-cesm:{row['patient_id']}"


def densities_of(rows: Iterable[Mapping[str, str]], column: str) -> dict[str, DensityLabel]:
    """Patients to the denser of their breasts, where any is given. Raises DatasetError on an unknown density."""
    seen: dict[str, DensityLabel] = {}
    for row in rows:
        if row[column] == NOT_GIVEN:
            continue
        label = next((known for known in DENSITY_LABELS if known == row[column]), None)
        if label is None:
            raise DatasetError(f"{row['file']} has an unknown density: {row[column]}.")
        seen[patient_of(row)] = max(seen.get(patient_of(row), label), label)
    return seen


def splits_of(rows: Iterable[Mapping[str, str]], densities: Mapping[str, str], seed: int | str) -> dict[str, str]:
    """Patients to splits, stratified by density, pathology and findings."""
    tags: dict[str, set[str]] = {}
    for row in rows:
        own = tags.setdefault(patient_of(row), set())
        own.add(f"pathology:{row['pathology'].lower()}")
        own |= {f"finding:{kind_of(part)}" for part in parts(row["findings"])}
    for patient, density in densities.items():
        tags[patient].add(f"density:{density}")
    return stratified(tags, seed=seed)


def _density(label: DensityLabel | None, name: str) -> Density | None:
    if label is None:
        return None
    reader = DensityReading(reader=f"dataset:{name}", label=label)
    return Density(label=label, source_label=f"ACR {label}", readers=(reader,))
