"""Folds: every patient tests once, nobody is on two sides, and classes are spread."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ml.datasets import mini_mias
from ml.datasets.folds import fold_rows, tags_of
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.manifest import Density, Finding, ManifestRow
from ml.runs.records import from_dict
from ml.runs.validate import require_no_leakage


@pytest.fixture
def rows(a_row: Callable[..., ManifestRow]) -> list[ManifestRow]:
    """40 patients of two images; every second one has a mass, one in ten is of density D."""
    mass = (Finding(finding_id="f", type="mass", pathology="malignant"),)
    return [
        a_row(
            f"i{n}-{view}",
            patient_id=f"p{n:02d}",
            exam_id=f"e{n}",
            density=Density(label="D" if n % 10 == 0 else "B"),
            findings=mass if n % 2 else (),
        )
        for n in range(40)
        for view in ("CC", "MLO")
    ]


def patients(rows: list[ManifestRow], split: str) -> set[str]:
    return {row.patient_id for row in rows if row.split == split}


def test_every_patient_tests_once_and_nobody_is_on_two_sides(rows):
    drawn = [fold_rows(rows, 5, fold, 7) for fold in range(5)]
    tested = [patient for own in drawn for patient in patients(own, "test")]
    assert sorted(tested) == sorted(tags_of(rows))
    for own in drawn:
        require_no_leakage(own)
        assert [row.image_id for row in own] == [row.image_id for row in rows]
        counts = Counter(row.split for row in own)
        assert counts["test"] == 16 and counts["val"] in (8, 10)  # 15 % of 32 patients are 4 or 5


def test_rare_classes_are_spread_over_the_folds(rows):
    for fold in range(4):
        test = [row for row in fold_rows(rows, 4, fold, 0) if row.split == "test"]
        assert len({row.patient_id for row in test if row.density and row.density.label == "D"}) == 1
        assert len({row.patient_id for row in test if row.findings}) == 5


def test_the_draw_depends_on_the_seed_and_not_on_the_order_or_the_old_splits(rows):
    first = {row.image_id: row.split for row in fold_rows(rows, 5, 2, 7)}
    turned = [replace(row, split="val" if n % 3 else "test") for n, row in enumerate(reversed(rows))]
    assert {row.image_id: row.split for row in fold_rows(turned, 5, 2, 7)} == first
    assert {row.image_id: row.split for row in fold_rows(rows, 5, 2, 8)} != first


def test_audit_stays_and_unread_exams_follow_their_patient(rows, a_row):
    extra = [a_row(f"pool{n}", patient_id=f"p{n:02d}", split="pool") for n in range(40)]
    extra += [a_row("stranger", split="pool"), a_row("audit", patient_id="p99", split="audit")]
    drawn = fold_rows([*rows, *extra], 5, 0, 7)
    require_no_leakage(drawn)
    assert patients(drawn, "audit") == {"p99"}
    assert patients(drawn, "pool") == patients(drawn, "train") | {"p-stranger"}


def test_fewer_patients_than_folds_are_refused(rows):
    with pytest.raises(RunRefused, match="1 patients") as error:
        fold_rows(rows[:2], 5, 0, 0)
    assert error.value.exit == Exit.DATA_REFUSED


def test_the_folds_of_real_films_hold_every_class(shared_data: Path):
    films = [from_dict(ManifestRow, row) for row in mini_mias.manifest_rows(shared_data / "mini-mias")]
    for fold in range(5):
        drawn = fold_rows(films, 5, fold, 0)
        require_no_leakage(drawn)
        for split, least in (("train", 48), ("val", 8), ("test", 14)):
            own = [row for row in drawn if row.split == split]
            assert len(patients(drawn, split)) >= least
            assert {row.density.label for row in own if row.density} == {"A", "B", "C"}
            assert {"mass", "calcification"} <= {finding.type for row in own for finding in row.findings}
