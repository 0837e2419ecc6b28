"""The demo's exams: enough of everything in every part of the split."""

import json
from itertools import combinations
from pathlib import Path

import pydicom

from ml.simulation.cohort import DEMO_EXAMS, DEMO_PLANS, demo_cohort, demo_exam

TYPES = {"mass", "calcification", "asymmetry", "architectural_distortion"}


def test_twelve_exams_carry_their_split() -> None:
    splits = [plan.split for plan in DEMO_PLANS]
    assert (DEMO_EXAMS, splits.count("train"), splits.count("val"), splits.count("test")) == (12, 8, 2, 2)


def test_any_four_training_exams_hold_two_density_classes() -> None:
    train = [plan.density for plan in DEMO_PLANS if plan.split == "train"]
    assert set(train) == set("abcd")
    assert all(len(set(four)) >= 2 for four in combinations(train, 4))
    assert all(len({plan.density for plan in DEMO_PLANS if plan.split == split}) == 2 for split in ("val", "test"))


def test_all_types_are_trained_and_tested_and_some_exams_are_normal() -> None:
    kinds = {split: {f.type for p in DEMO_PLANS if p.split == split for f in p.findings} for split in ("train", "test")}
    assert kinds == {"train": TYPES, "test": TYPES}
    assert any(not plan.findings for plan in DEMO_PLANS)


def test_an_exam_is_four_files_and_its_truth(tmp_path: Path) -> None:
    demo_exam(7, seed=2026, folder=tmp_path, spacing_mm=0.8)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["l-cc.dcm", "l-mlo.dcm", "r-cc.dcm", "r-mlo.dcm", "truth.json"]
    (truth,) = json.loads((tmp_path / "truth.json").read_text())["exams"]
    assert (truth["split"], truth["density"]) == ("train", "c")
    assert {finding["type"] for finding in truth["findings"]} == {"architectural_distortion", "mass"}


def test_exams_of_a_cohort_are_different_patients(tmp_path: Path) -> None:
    made = list(demo_cohort(3, tmp_path, exams=2, spacing_mm=1.6))
    headers = [pydicom.dcmread(paths[0], stop_before_pixels=True) for _, paths in made]
    assert len({str(header.PatientID) for header in headers}) == 2
    assert len({str(header.StudyInstanceUID) for header in headers}) == 2
