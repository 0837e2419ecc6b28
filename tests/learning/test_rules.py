"""What may be trained, and what may be stored."""

import math

import pytest

from exchange.rules import counts_of
from learning.errors import ScoreRefused
from learning.rules import finite_score, grouped_predictions, label_counts_of, progress_text, refusal, weights_of
from ml.runs import catalogue
from tests.exchange.items import a_finding, a_mark, an_image, an_item

DENSITY = {"task": "density", "findings": [], "needs": [{"label": "density", "min_train": 2, "min_classes": 2}]}
LESIONS = {
    "task": "lesion_detection",
    "findings": ["mass", "calcification"],
    "needs": [{"label": "box", "min_train": 1}],
}


def marked(name, split="train"):
    image = an_image(name)
    return an_item(name, split=split, images=[image], findings=[a_finding(a_mark(image))])


def test_nothing_can_learn_from_a_snapshot_without_training_exams():
    assert refusal(DENSITY, counts_of([an_item(split="val")])) == "No exam for training has been read yet."


def test_density_needs_two_classes_in_training_and_says_so_in_a_sentence():
    one_class = counts_of([an_item("a"), an_item("b"), an_item("c", split="val")])
    assert "classes" in refusal(DENSITY, one_class)
    two_classes = counts_of([an_item("a"), an_item("b", density="c"), an_item("c", split="val")])
    assert refusal(DENSITY, two_classes) is None


def test_a_method_needs_a_validation_exam():
    without = counts_of([an_item("a"), an_item("b", density="c")])
    assert "validation" in refusal(DENSITY, without)


def test_lesions_need_a_marked_finding_of_their_types():
    val = an_item("v", split="val")
    assert "marked findings" in refusal(LESIONS, counts_of([an_item("a"), val]))
    assert refusal(LESIONS, counts_of([marked("a"), val])) is None


@pytest.mark.parametrize("label", ["image_class", "breast_class", "exam_class"])
def test_a_classifier_of_findings_needs_exams_with_and_without_one(label):
    method = {"task": "exam_classification", "findings": [], "needs": [{"label": label, "min_train": 2,
              "min_classes": 2}]}  # fmt: skip
    val = an_item("v", split="val")
    assert "with a finding" in refusal(method, counts_of([an_item("a"), an_item("b"), val]))
    assert "without a finding" in refusal(method, counts_of([marked("a"), marked("b"), val]))
    assert refusal(method, counts_of([marked("a"), an_item("b"), val])) is None


def a_pair(name, *findings, split="train"):
    right, left = an_image(f"{name}R", laterality="R"), an_image(f"{name}L")
    own = [a_finding(a_mark(right), type=kind, laterality="R") for kind in findings]
    return an_item(name, split=split, images=[right, left], findings=own)


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        (([], [], ["mass"], []), "with an asymmetry"),
        ([["asymmetry"]] * 4, "without an asymmetry"),
        ((["asymmetry"], ["asymmetry"], ["mass"], []), None),
    ],
)
@pytest.mark.parametrize("name", ["bilateral_asymmetry", "se_asymmetry"])
def test_who_compares_breasts_is_refused_where_all_are_alike(name, findings, said):
    items = [a_pair(str(n), *own) for n, own in enumerate(findings)]
    found = refusal(catalogue.entry(name), counts_of([*items, a_pair("v", split="val")]))
    assert (found is None) if said is None else (said in found)


def test_an_image_without_a_mark_is_one_without_a_finding_though_its_exam_has_one():
    images = [an_image("a1"), an_image("a2", view="CC")]
    item = an_item("a", images=images, findings=[a_finding(a_mark(images[0]))])
    counts = label_counts_of(counts_of([item]), [])
    assert (counts["image_class"], counts["exam_class"]) == ({"1": 1, "0": 1}, {"1": 1, "0": 0})


def test_who_waits_for_an_outcome_hears_that_no_reading_here_has_one():
    need = {"label": "outcome", "min_train": 4, "min_classes": 2}
    method = {"task": "exam_classification", "findings": [], "needs": [need]}
    assert "no outcome" in refusal(method, counts_of([marked("a"), an_item("b"), an_item("v", split="val")]))


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, "0.5", True])
def test_a_score_that_is_no_finite_number_is_refused(value):
    with pytest.raises(ScoreRefused):
        finite_score(value)


def test_an_unscored_exam_is_a_state_and_not_a_zero():
    assert finite_score(None) is None
    assert finite_score(0) == 0.0


def test_a_project_may_set_its_own_weights_over_the_defaults():
    weights = weights_of({"mass": 3})
    assert (weights["mass"], weights["asymmetry"], weights["architectural_distortion"]) == (3.0, 0.75, 1.5)


def test_predictions_are_kept_by_image_and_by_exam():
    rows = [
        {"exam_id": "e", "image_id": "i", "score": 1},
        {"exam_id": "e", "image_id": None},
        {"exam_id": "e", "image_id": "i"},
    ]
    assert {unit: len(group) for unit, group in grouped_predictions(rows).items()} == {"i": 2, "e": 1}


def test_progress_says_stage_loss_and_time_left():
    assert progress_text({"stage": "main", "loss": 0.41234, "eta_s": 486}) == "main, loss 0.412, 8 min left"
    assert progress_text({"loss": None, "eta_s": 12}) == "training, 12 s left"
