"""One rule says whether rows show a finding: the check before a run counts what its training is taught."""

import pytest

from ml.methods import pretraining
from ml.methods.spec import Aim
from ml.runs.manifest import Finding, Outcome
from ml.runs.needs import label_counts
from ml.runs.truths import asymmetry_of, outcome_of, presence_of
from ml.training.targets.classes import TRUTHS


def found(kind, difficulty=None):
    return Finding(finding_id=f"f-{kind}", type=kind, difficulty=difficulty)


#: A breast of two images: what each has (findings, complete), and whether it shows a mass, any finding, an asymmetry.
BREASTS = [
    ([((), True), ((), True)], (0, 0, 0)),
    ([((found("mass"),), True), ((), True)], (1, 1, 0)),
    ([((found("mass"),), False), ((), False)], (1, 1, None)),
    ([((), True), ((), False)], (None, None, None)),
    ([((found("calcification"),), True), ((), True)], (None, 1, 0)),
    ([((found("asymmetry"),), True), ((), False)], (None, 1, 1)),
    ([((found("mass", "ignore"),), True), ((), True)], (0, 0, 0)),
]


@pytest.mark.parametrize(("images", "said"), BREASTS)
def test_the_rule_of_a_breast_is_what_is_counted_and_what_is_taught(a_row, images, said):
    rows = [
        a_row(f"i{n}", exam_id="e", patient_id="p", laterality="R", findings=own, complete=complete)
        for n, (own, complete) in enumerate(images)
    ]
    assert (presence_of(rows, ("mass",)), presence_of(rows), asymmetry_of(rows)) == said
    aim = Aim(task="exam_classification", labels=("negative", "positive"), target="presence", findings=("mass",))
    assert TRUTHS["presence"](rows, aim) == said[0]
    counted = {} if said[0] is None else {str(said[0]): 1}
    assert label_counts(rows, ("mass",))["breast_class"] == counted


def test_a_breast_has_the_outcome_of_the_image_that_has_one(a_row):
    rows = [a_row("i1", outcome=Outcome(cancer=0)), a_row("i2"), a_row("i3", outcome=Outcome(cancer=None))]
    assert (outcome_of(rows), outcome_of(rows[1:])) == (0, None)


def test_who_asks_for_findings_is_counted_by_findings_though_outcomes_are_known(a_row):
    rows = [
        a_row(f"i{n}", complete=True, outcome=Outcome(cancer=n % 2), findings=(found("mass"),) if n < 3 else ())
        for n in range(4)
    ]
    assert label_counts(rows, ())["exam_class"] == {"0": 2, "1": 2}
    assert label_counts(rows, (), target="outcome")["exam_class"] == {"0": 2, "1": 2}
    assert label_counts(rows, (), target="presence")["exam_class"] == {"0": 1, "1": 3}


def test_a_source_of_transfer_is_chosen_by_the_same_rule(a_row):
    ignored = [a_row(f"i{n}", complete=True, findings=(found("mass", "ignore"),)) for n in range(600)]
    assert pretraining.settled("auto", ignored) == "phantoms"  # all of one class
    shown = [a_row(f"j{n}", findings=(found("mass"),)) for n in range(10)]
    assert pretraining.settled("auto", [*ignored, *shown]) == "presence"
