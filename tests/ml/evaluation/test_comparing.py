"""Two models on the same draws of patients: whose dense-tissue gap is smaller, and what of both may be compared."""

import pytest

from ml.evaluation.comparing import NotComparable, compare
from ml.evaluation.reports.asked import Asked
from tests.ml.evaluation.reports import test_outlines as outlines
from tests.ml.evaluation.reports.factories import a_box, a_row
from tests.ml.evaluation.reports.test_binary import an_exam, said
from tests.ml.evaluation.reports.test_lesions import BOX, right

CANCER = {"target": "outcome", "labels": ("negative", "positive")}


def asked(rows, predictions, **more):
    options = {"findings": ("mass",), "replicates": 200, "seed": 1, **more}
    return Asked(predictions=predictions, manifest=rows, splits=("test",), **options)


def gaps(found, target):
    return {row["series"]: row for row in found.metrics if row["metric"] == "dense_gap" and row["target"] == target}


def lesions():
    rows = [a_row(n, "test", density="AD"[n // 2 % 2], findings=[("mass", BOX)] if n % 2 else ()) for n in range(80)]
    fatty = [row for row in rows if row["density"]["label"] == "A"]
    return rows, right(rows), right(fatty)


def exams():
    """The first model is right of all, the second only of fatty breasts."""
    rows = [row for n in range(160) for row in an_exam(n, "test", cancer=n % 2, density="AD"[n // 2 % 2])]
    fatty = {row["exam_id"] for row in rows if row["density"]["label"] == "A"}
    one = [p for n, row in enumerate(rows) for p in said(row, (row["outcome"]["cancer"] + n % 7 / 100) / 2)]
    other = [
        p
        for n, row in enumerate(rows)
        for p in said(row, (row["outcome"]["cancer"] * (row["exam_id"] in fatty) + n % 7 / 100) / 2)
    ]
    return rows, one, other


@pytest.mark.parametrize(
    ("study", "task", "target", "more"),
    [(lesions, "lesion_detection", "mass", {}), (exams, "exam_classification", "outcome", CANCER)],
)
def test_a_model_that_is_right_of_dense_breasts_too_closes_the_gap(study, task, target, more):
    rows, one, other = study()
    found = gaps(compare(asked(rows, one, **more), asked(rows, other, **more), task), target)
    assert found["model"]["value"] == pytest.approx(0.0) and found["model"]["params"]["verdict"] == "no evidence"
    assert found["baseline"]["value"] > 0.3
    assert found["difference"]["value"] == pytest.approx(found["model"]["value"] - found["baseline"]["value"])
    assert found["difference"]["ci"][1] < 0 and found["difference"]["params"]["better"]
    same = gaps(compare(asked(rows, one, **more), asked(rows, one, **more), task), target)
    assert same["difference"]["ci"] == [0, 0] and not same["difference"]["params"]["better"]


def alike_in_both_lesions():
    """Half of the lesions are found, the same ones in fatty and dense breasts."""
    rows, boxes, _ = lesions()
    return rows, [box for box in boxes if int(box["exam_id"][1:]) // 4 % 2]


def alike_in_both_exams():
    """Scores that are noisy, and the same in fatty and dense breasts."""
    rows, _, _ = exams()
    noise = {row["exam_id"]: int(row["exam_id"][1:]) // 4 * 7 % 11 / 10 for row in rows}
    return rows, [p for row in rows for p in said(row, (row["outcome"]["cancer"] + 3 * noise[row["exam_id"]]) / 4)]


@pytest.mark.parametrize(
    ("study", "task", "target", "more"),
    [
        (alike_in_both_lesions, "lesion_detection", "mass", {}),
        (alike_in_both_exams, "exam_classification", "outcome", CANCER),
    ],
)
def test_patients_of_the_two_densities_are_not_drawn_in_step(study, task, target, more):
    rows, predictions = study()
    found, again = (
        gaps(compare(asked(rows, predictions, **more), asked(rows, predictions, **more), task), target)
        for _ in range(2)
    )
    # In step, both groups would have the same patients' like in every draw, and the gap no spread at all.
    low, high = found["model"]["ci"]
    assert found["model"]["value"] == pytest.approx(0.0) and low < -0.02 and high > 0.02
    assert found["difference"]["ci"] == [0, 0] and found == again


def test_groups_that_are_too_small_for_a_gap_are_not_compared():
    rows = [a_row(n, "test", density="AD"[n // 2 % 2], findings=[("mass", BOX)] if n % 2 else ()) for n in range(20)]
    boxes = [a_box(row, "mass", 0.9, BOX) for row in rows if row["findings"]]
    assert not gaps(compare(asked(rows, boxes), asked(rows, boxes), "lesion_detection"), "mass")


def test_models_that_were_asked_for_different_findings_are_not_compared():
    rows = [
        {**row, "findings": a_row(n, "test", findings=[(kind, BOX)]).get("findings") if kind else []}
        for n in range(12)
        for kind in [(None, "mass", "calcification")[n % 3]]
        for row in an_exam(n, "test", cancer=None)
    ]
    answers = [p for n, row in enumerate(rows) for p in said(row, n % 5 / 5, target="presence")]
    masses, anything = (
        asked(rows, answers, target="presence", labels=("negative", "positive"), findings=findings)
        for findings in (("mass",), ())
    )
    with pytest.raises(NotComparable, match="not for the other in 4 of 12 exams"):
        compare(masses, anything, "exam_classification")
    assert compare(masses, masses, "exam_classification").patients == 12


KINDS = (None, "mass", "calcification")


def boxes_of(findings):
    """Images with a mass, a calcification or nothing, and the boxes of a detector that was asked for `findings`."""
    rows = [a_row(n, "test", findings=[(kind, BOX)] if kind else ()) for n in range(12) for kind in [KINDS[n % 3]]]
    drawn = [a_box(row, f["type"], 0.9, BOX) for row in rows for f in row["findings"] if f["type"] in findings]
    return asked(rows, drawn, findings=findings)


def targets(one, other, task="lesion_detection"):
    return {row["target"] for row in compare(one, other, task).metrics}


def test_detectors_are_compared_in_the_findings_that_both_were_asked_for():
    masses, both = boxes_of(("mass",)), boxes_of(("mass", "calcification"))
    assert targets(both, boxes_of(("calcification", "mass"))) == {"any", "mass", "calcification"}
    assert targets(both, masses) == targets(masses, both) == {"mass"}
    assert {row["value"] for row in compare(masses, both, "lesion_detection").headline} == {0}
    with pytest.raises(NotComparable, match="no finding was asked of both models: mass, and calcification"):
        compare(masses, boxes_of(("calcification",)), "lesion_detection")


@pytest.fixture
def outliners(tmp_path):
    """An outliner of masses alone and one of whatever there is, right of every mass; each calls its masks `any`."""
    rows = [outlines.outlined(n, geometry=[24, 48, 12]) for n in range(6)]
    for row in rows[3:]:
        row["findings"][0]["type"] = "calcification"
    (tmp_path / "run").mkdir()
    said = [outlines.said(tmp_path, row, outlines.disc()) for row in rows]

    def of(findings):
        return asked(rows, said, findings=findings, run_dir=tmp_path / "run")

    return of


def test_outliners_of_different_findings_are_not_compared_in_any(outliners):
    assert targets(outliners(("mass",)), outliners(("mass",)), "segmentation") == {"any"}
    with pytest.raises(NotComparable, match="no finding was asked of both models: any finding, and mass"):
        compare(outliners(()), outliners(("mass",)), "segmentation")
