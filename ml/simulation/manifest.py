"""A cohort of phantoms as a run folder's manifest: images on disk, one row each, with all that is true of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Outcome, Split, density_to_ml
from ml.simulation.dicom import patient_id_of, sop_uid_of, study_uid_of, write_exam
from ml.simulation.model import VIEWS, Exam, FindingSpec, FindingType, Side
from ml.simulation.model import Density as BreastDensity
from ml.simulation.phantom import exam
from ml.simulation.streams import stream

SPACING_MM = 0.4
DENSITIES: tuple[BreastDensity, ...] = ("a", "b", "c", "d")
TYPES: tuple[FindingType, ...] = ("mass", "calcification", "architectural_distortion", "asymmetry")
SPLITS: tuple[Split, ...] = ("train", "train", "train", "val", "train", "train", "test", "train", "train", "test")
"""By turns: seven, one and two of ten."""
DATASET = "phantom"
CREDIT = {
    "name": "MammoLoop phantoms",
    "licence": "Apache-2.0; made by ml.simulation, of nobody",
    "citation": "MammoLoop, ml.simulation",
}


def planned(number: int, seed: int) -> tuple[BreastDensity, tuple[FindingSpec, ...]]:
    """Density and findings of exam `number`: every density and, in every second exam, every type by turns."""
    generator = stream(seed, "cohort", str(number))
    density = DENSITIES[(number // 2 + number) % 4]
    if number % 2:
        return density, ()
    side: Side = "R" if generator.random() < 0.5 else "L"
    return density, (FindingSpec(TYPES[(number // 2) % len(TYPES)], side),)


def cohort(
    folder: Path, exams: int, *, seed: int = 0, spacing_mm: float = SPACING_MM, views: Sequence[str] = VIEWS,
    told: Callable[[int], None] = lambda done: None,
) -> Iterator[ManifestRow]:  # fmt: skip
    """Write `exams` exams under `folder`; their rows, paths relative to it. The same seed gives the same bytes."""
    for number in range(exams):
        density, findings = planned(number, seed)
        made = exam(seed * 1_000_003 + number, density=density, findings=findings, views=views, spacing_mm=spacing_mm)
        paths = write_exam(made, folder / f"exam-{number + 1:04d}")
        for view, path in zip(made.images, paths, strict=True):
            yield row_of(made, view, path, folder, SPLITS[number % len(SPLITS)])
        told(number + 1)


def row_of(made: Exam, view: str, path: Path, folder: Path, split: Split) -> ManifestRow:
    """The manifest row of one view."""
    image = made.images[view]
    own = [finding for finding in made.findings if finding.laterality == view[0]]
    malignant = any(finding.pathology == "malignant" for finding in own)
    return ManifestRow(
        image_id=str(sop_uid_of(made, view)), exam_id=str(study_uid_of(made)), patient_id=patient_id_of(made.seed),
        laterality=view[0], view=view[2:], rows=image.pixels.shape[0], cols=image.pixels.shape[1],  # type: ignore[arg-type] # a name of VIEWS
        pixel_path=path.relative_to(folder).as_posix(), sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        presentation="for_presentation", bits_stored=12, spacing_mm=(made.spacing_mm, made.spacing_mm),
        spacing_source="imager", dataset=DATASET, manufacturer="MammoLoop", model="Phantom",
        density=Density(label=density_to_ml(made.density)),
        findings=tuple(_finding(made, n, view) for n, f in enumerate(made.findings) if f.laterality == view[0]),
        complete=True, outcome=Outcome(cancer=1 if malignant else 0), split=split,
    )  # fmt: skip


def _finding(made: Exam, number: int, view: str) -> Finding:
    found = made.findings[number]
    name = f"{made.seed}:{number}"
    mark = found.marks.get(view)
    marks = () if mark is None else (
        Mark(mark_id=f"{name}:{view}", kind=mark.kind, geometry=mark.geometry, provenance="imported"),
    )  # fmt: skip
    return Finding(finding_id=name, type=found.type, subtype=found.subtype, pathology=found.pathology,
                   birads=found.birads, marks=marks)  # fmt: skip
