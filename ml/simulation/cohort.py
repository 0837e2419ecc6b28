"""Whole sets of phantoms with a split that they carry: the twelve exams of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.simulation.dicom import write_exam
from ml.simulation.model import Density, Exam, FindingSpec
from ml.simulation.phantom import exam


@dataclass(frozen=True)
class Plan:
    """What one exam of a cohort shall be."""

    split: str
    density: Density
    findings: tuple[FindingSpec, ...] = ()


DEMO_PLANS = (
    Plan("train", "b", (FindingSpec("mass", "L", "spiculated", 16.0),)),
    Plan("train", "c", (FindingSpec("calcification", "R", "pleomorphic", 12.0),)),
    Plan("train", "a", (FindingSpec("mass", "R", "oval"), FindingSpec("calcification", "L", "punctate"))),
    Plan("train", "d", (FindingSpec("mass", "L", "irregular"),)),
    Plan("train", "b", (FindingSpec("asymmetry", "R"),)),
    Plan("train", "a"),
    Plan("train", "d", (FindingSpec("calcification", "R", "linear"),)),
    Plan("train", "c", (FindingSpec("architectural_distortion", "L"), FindingSpec("mass", "R", "round"))),
    Plan("val", "b", (FindingSpec("mass", "R", "lobulated"), FindingSpec("calcification", "R", "amorphous"))),
    Plan("val", "d", (FindingSpec("architectural_distortion", "R"), FindingSpec("asymmetry", "L"))),
    Plan("test", "a", (FindingSpec("mass", "L", "irregular"), FindingSpec("calcification", "R", "coarse"))),
    Plan("test", "c", (FindingSpec("asymmetry", "L"), FindingSpec("architectural_distortion", "R"))),
)
DEMO_EXAMS = len(DEMO_PLANS)


def demo_exam(number: int, *, seed: int, folder: Path, spacing_mm: float = 0.2) -> tuple[Exam, list[Path]]:
    """Write exam `number` of the demo (0 to 11), four views and `truth.json`, into a folder."""
    plan = DEMO_PLANS[number]
    made = exam(seed * 1000 + number, density=plan.density, findings=plan.findings, spacing_mm=spacing_mm)
    return made, write_exam(made, folder, split=plan.split)


def demo_cohort(
    seed: int, folder: Path, *, exams: int = DEMO_EXAMS, spacing_mm: float = 0.2
) -> Iterator[tuple[Exam, list[Path]]]:
    """The first `exams` exams of the demo, each in a folder of its own, made one at a time."""
    for number in range(exams):
        yield demo_exam(number, seed=seed, folder=folder / f"exam-{number + 1:02d}", spacing_mm=spacing_mm)
