import time
from dataclasses import replace

import pytest

from ml.runs import catalogue
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.manifest import Density, Finding, Mark, Outcome
from ml.runs.needs import Need, label_counts, missing
from ml.runs.validate import bounds_px, validate


def lesion(kind, geometry):
    return (Finding(finding_id="f", type="mass", marks=(Mark(mark_id="m", kind=kind, geometry=geometry),)),)


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("duplicate_row", [{"exam_id": "e"}, {"exam_id": "e"}]),
        ("leakage_patient", [{"patient_id": "p", "split": "train"}, {"patient_id": "p", "split": "test"}]),
        ("leakage_patient", [{"patient_id": "p", "split": "pool"}, {"patient_id": "p", "split": "val"}]),
        ("leakage_file", [{"sha256": "aa", "split": "train"}, {"sha256": "aa", "split": "audit"}]),
        ("geometry_outside", [{"findings": lesion("box", [200, 10, 220, 30])}]),
        ("geometry_invalid", [{"findings": lesion("polygon", [[[1, 1], [5, 5]]])}]),
        ("geometry_invalid", [{"findings": lesion("box", [5, 5, 5, 9])}]),
        ("geometry_invalid", [{"findings": lesion("label_map", {"path": "t.png", "classes": {"0": "fat"}})}]),
        ("geometry_invalid", [{"findings": lesion("label_map", {"path": "t.png", "classes": {"gland": 2}})}]),
        ("geometry_invalid", [{"findings": lesion("label_map", {"path": "t.png", "classes": {}})}]),
    ],
)
def test_bad_rows_are_refused_with_exit_3(a_row, code, rows):
    ids = ["i1", "i1"] if code == "duplicate_row" else ["i1", "i2"]
    with pytest.raises(RunRefused) as error:
        validate([a_row(name, **fields) for name, fields in zip(ids, rows, strict=False)])
    assert (error.value.code, error.value.exit) == (code, Exit.DATA_REFUSED)


def test_unread_exams_of_training_patients_are_no_leak(a_row):
    rows = [a_row("i1", patient_id="p"), a_row("i2", patient_id="p", split="pool")]
    assert validate(rows).rows == rows


def test_a_mark_over_the_edge_is_clipped_with_a_warning(a_row):
    checked = validate([a_row(findings=lesion("box", [-5, 10, 20, 130]))])
    assert checked.rows[0].findings[0].marks[0].geometry == [0, 10, 20, 100]
    assert [code for code, _, _ in checked.warnings] == ["geometry_clipped"]


def test_a_missing_label_is_named(a_row):
    need = Need(label="density", min_train=2, min_classes=2)
    with pytest.raises(RunRefused, match="exams with a density of at least 2 classes"):
        validate([a_row(f"i{n}", density=Density(label="B")) for n in range(3)], needs=[need])


@pytest.mark.parametrize(
    ("label", "classes"),
    [("image_class", {"1": 1, "0": 3}), ("breast_class", {"1": 1, "0": 1}), ("exam_class", {"1": 1})],
)
def test_images_breasts_and_exams_are_with_or_without_a_finding(a_row, label, classes):
    box = lesion("box", [5, 5, 20, 20])
    exam = [a_row(f"i{n}", exam_id="e", laterality=side, complete=True) for n, side in enumerate("RRLL")]
    rows = [replace(exam[0], findings=box), *exam[1:]]
    assert label_counts(rows, [])[label] == classes
    need = Need(label=label, min_train=2, min_classes=2)
    assert bool(missing([need], label_counts(rows, []))) == (len(classes) < 2)
    assert label_counts(rows, ["calcification"])[label]["1"] == 0


def pairs_of(a_row, *findings):
    """Exams of both breasts in one view; the right one has what is given."""
    return [
        a_row(f"{n}{side}", exam_id=f"e{n}", patient_id=f"p{n}", laterality=side, view="MLO", complete=True,
              findings=own if side == "R" else ())
        for n, own in enumerate(findings) for side in "RL"
    ]  # fmt: skip


ASYMMETRY = (Finding(finding_id="a", type="asymmetry"),)
MASS = lesion("box", [5, 5, 20, 20])


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ((ASYMMETRY, ASYMMETRY, MASS, ()), None),
        (((), MASS, (), ()), "Needs pairs of breasts with an asymmetry for training too; there are none."),
        ((ASYMMETRY,) * 4, "Needs pairs of breasts without an asymmetry for training too; there are none."),
        ((ASYMMETRY, (), (), ()), "Needs at least 2 pairs of breasts with an asymmetry for training; there is 1."),
    ],
)
@pytest.mark.parametrize("name", ["bilateral_asymmetry", "se_asymmetry"])
def test_who_compares_breasts_needs_pairs_of_both_kinds(a_row, name, findings, said):
    needs = catalogue.entry(name)["needs"]
    rows = pairs_of(a_row, *findings)
    assert missing(needs, label_counts(rows, ["asymmetry"]), "asymmetry") == ([] if said is None else [said])


def test_a_breast_without_the_other_is_no_pair(a_row):
    rows = [row for row in pairs_of(a_row, ASYMMETRY, (), ()) if (row.exam_id, row.laterality) != ("e1", "L")]
    assert label_counts(rows, [])["pair_class"] == {"1": 1, "0": 1}


def test_regions_of_asymmetries_are_needed_where_they_are_what_is_learned(a_row):
    needs = catalogue.entry("densenet201_transfer")["needs"]
    counts = label_counts(pairs_of(a_row, MASS, MASS, (), ()), [])
    assert missing(needs, counts, "lesion_classification") == []
    assert missing(needs, counts, "asymmetry") == ["Needs at least 2 asymmetries for training; there are 0."]


def test_the_classes_are_the_outcomes_where_both_are_known(a_row):
    rows = [a_row(f"i{n}", exam_id=f"e{n}", outcome=Outcome(cancer=n, months=24)) for n in (0, 1)]
    assert label_counts(rows, [])["exam_class"] == {"0": 1, "1": 1}


def test_outlines_of_tissue_are_maps_whatever_the_finding_that_brings_them(a_row):
    brought = Mark(mark_id="t", kind="label_map", geometry={"path": "t.png", "classes": {"fat": 1, "dense": 2}})
    mapped = [Finding(finding_id="t", type="other", marks=(brought,))]
    rows = [a_row(f"i{n}", exam_id=f"e{n}", findings=mapped) for n in range(3)]
    needs = catalogue.entry("aunet")["needs"]
    assert missing(needs, label_counts(rows, ["mass"], target="tissue"), "segmentation") == []
    of_lesions = missing(needs, label_counts(rows, ["mass"], target="mask"), "segmentation")
    assert of_lesions == ["Needs at least 2 outlines for training; there are 0."]


def test_needs_can_be_asked_of_counts_alone():
    counts = {"density": {"A": 3, "B": 1}}
    need = {"label": "density", "min_train": 4, "min_classes": 2, "min_per_class": 1, "views": []}
    assert missing([need], counts) == []
    assert len(missing([{**need, "min_train": 9}], counts)) == 1
    short = {**need, "min_train": 9, "tasks": ["density"]}
    assert len(missing([short], counts, "density")) == 1
    assert missing([short], counts, "segmentation") == []


def test_labels_of_validation_and_test_count_for_nothing(a_row):
    rows = [a_row("i1", split="val", density=Density(label="A")), a_row("i2", findings=lesion("box", [1, 1, 9, 9]))]
    counts = label_counts(rows, ("mass",))
    assert (sum(counts["density"].values()), counts["box"]["mass"]) == (0, 1)


def test_a_rotated_ellipse_has_the_bounds_of_its_outline():
    mark = Mark(mark_id="m", kind="ellipse", geometry=[50, 40, 20, 10, 90])
    assert bounds_px(mark) == pytest.approx((40, 20, 60, 60))


def test_a_hundred_thousand_rows_are_checked_in_seconds(a_row):
    rows = [a_row(f"i{n}", findings=lesion("box", [1, 1, 9, 9]) if n % 4 == 0 else ()) for n in range(100_000)]
    began = time.perf_counter()
    validate(rows)
    assert time.perf_counter() - began < 10  # 2 s on a quiet core; a busy one is no fault
