"""Whether one model leaves a smaller dense-tissue gap than another, on the same draws of patients."""

import pytest

from ml.evaluation.comparing import NotComparable, compare
from ml.evaluation.reports.asked import Asked
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
