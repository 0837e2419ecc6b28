"""The density report: figures, baselines beside them, what is said where there is too little."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml.evaluation import calibration, categories, classification
from ml.evaluation.report import evaluate
from ml.evaluation.undefined import NotAScore
from tests.ml.evaluation.reports.factories import SIZE, a_density, a_row, an_image

LETTERS = "ABCD"


def soft(label, sureness=0.7):
    p = np.full(4, (1 - sureness) / 3)
    p[label] = sureness
    return p


@pytest.fixture
def study():
    """60 training and 40 test exams, classes in turn; brightness of the picture follows the class."""
    rng = np.random.default_rng(0)
    rows = [a_row(n, "train" if n < 60 else "test", density=LETTERS[n % 4]) for n in range(100)]
    pictures = {
        r["image_id"]: np.clip(rng.normal(0.2 + 0.15 * (n % 4), 0.05, (SIZE, SIZE)), 0, 1) for n, r in enumerate(rows)
    }
    return rows, lambda row: an_image(pictures[row["image_id"]])


def the(metrics, name, split="test"):
    found = [row for row in metrics if row["name"] == name and row["split"] == split]
    assert len(found) == 1
    return found[0]


def run(rows, predictions, **more):
    options = {"task": "density", "splits": ("test",), "bootstrap": 200, "seed": 1, **more}
    return evaluate(predictions=predictions, manifest=rows, **options)


def answers(rows, truthful=1.0, seed=2, level="exam"):
    rng = np.random.default_rng(seed)
    labels = [LETTERS.index(r["density"]["label"]) for r in rows]
    said = [label if rng.random() < truthful else int(rng.integers(0, 4)) for label in labels]
    return [p for row, label in zip(rows, said, strict=True) for p in a_density(row, soft(label), level)]


def test_a_right_model_has_full_marks_and_beats_the_prior(study):
    rows, _ = study
    found = run(rows, answers(rows))
    assert [the(found.metrics, n)["value"] for n in ("qwk", "accuracy", "macro_f1", "auc_dense")] == pytest.approx(
        [1] * 4
    )
    assert the(found.metrics, "baseline:prior:qwk")["value"] == pytest.approx(0.0)
    assert the(found.metrics, "baseline:prior:auc_dense")["value"] == pytest.approx(0.5)
    gap = the(found.metrics, "difference:prior:auc_dense")
    assert gap["value"] == pytest.approx(0.5) and gap["ci"] == pytest.approx([0.5, 0.5]) and gap["params"]["better"]
    assert found.headline["qwk"] == pytest.approx(1.0) and found.headline_split == "test"
    assert found.worst == []


def test_every_row_is_whole_and_plain_json(study):
    rows, pixels = study
    found = run(rows, answers(rows, 0.6), pixels=pixels)
    json.dumps([found.metrics, found.curves, found.worst, found.headline], allow_nan=False)
    row = the(found.metrics, "qwk")
    assert (row["target"], row["level"], row["split"], row["series"]) == ("density", "exam", "test", "model")
    assert (row["n_patients"], row["n_units"], row["n_pos"], row["n_neg"]) == (40, 40, 20, 20)
    assert row["ci"][0] <= row["value"] <= row["ci"][1]
    assert row["ci_method"] == "patient_bootstrap_percentile"
    assert len({(r["name"], r["target"], r["level"], r["split"]) for r in found.metrics}) == len(found.metrics)
    assert {r["metric"] for r in found.metrics if r["series"] == "difference"} == {
        "qwk",
        "accuracy",
        "macro_f1",
        "auc_dense",
    }


def test_the_histogram_regression_learns_from_pixels_and_a_guess_does_not_beat_it(study):
    rows, pixels = study
    found = run(rows, answers(rows, 0.0), pixels=pixels)
    assert the(found.metrics, "baseline:histogram_regression:qwk")["value"] > 0.9
    gap = the(found.metrics, "difference:histogram_regression:qwk")
    assert gap["value"] < 0 and not gap["params"]["better"]


def test_images_of_an_exam_are_averaged_unless_the_exam_itself_is_answered():
    rows = [a_row(0, "test", density="A"), a_row(0, "test", density="A", image="j"), a_row(1, "test", density="C")]
    parts = [*a_density(rows[0], [0.9, 0.1, 0, 0], "image"), *a_density(rows[1], [0.3, 0.7, 0, 0], "image")]
    other = a_density(rows[2], [0, 0, 1, 0], "image")
    assert the(run(rows, parts + other).metrics, "accuracy")["value"] == 1.0
    whole = a_density(rows[0], [0.1, 0.9, 0, 0])
    assert the(run(rows, parts + other + whole).metrics, "accuracy")["value"] == 0.5


def test_passes_and_members_are_no_answers_of_their_own(study):
    rows, _ = study
    extra = [{**row, "member": 3, "prob": 0.25} for row in answers(rows)]
    assert the(run(rows, answers(rows) + extra).metrics, "accuracy")["value"] == 1.0


def test_without_dense_patients_the_auc_is_null_with_a_reason(study):
    rows = [a_row(n, "test", density="AB"[n % 2]) for n in range(8)]
    row = the(run(rows, answers(rows)).metrics, "auc_dense")
    assert (row["value"], row["reason"], row["ci"]) == (None, "one_class", None)
    assert the(run(rows, answers(rows)).metrics, "accuracy")["params"]["classes_in_truth"] == ["A", "B"]


def test_an_empty_split_gives_nulls_and_no_error():
    rows = [a_row(n, "train", density="AB"[n % 2]) for n in range(8)]
    found = run(rows, [])
    assert {row["value"] for row in found.metrics} == {None}
    assert {row["reason"] for row in found.metrics} == {"empty"}


def test_exams_without_an_answer_are_counted_and_labels_without_agreement_left_out():
    rows = [a_row(n, "test", density=LETTERS[n % 4]) for n in range(8)]
    rows.append({**a_row(9, "test"), "density": {"label": None}})
    row = the(run(rows, answers(rows[:6])).metrics, "accuracy")
    assert row["n_units"] == 6 and row["params"]["unanswered"] == 2


def test_the_worst_are_the_furthest_off_and_say_what_was_missed():
    rows = [a_row(n, "test", density="A") for n in range(3)]
    p = [soft(1), soft(3), soft(0)]
    found = run(rows, [q for row, own in zip(rows, p, strict=True) for q in a_density(row, own)])
    assert [w["exam_id"] for w in found.worst] == ["e1", "e0"]
    assert found.worst[0]["what"] == "density A read as D" and found.worst[0]["image_id"] == "i1"


def test_curves_can_be_drawn_as_they_are(study):
    rows, _ = study
    curves = run(rows, answers(rows, 0.6)).curves
    assert np.sum(curves["confusion"][0]["matrix"]) == 40
    assert sum(curves["reliability"][0]["n"]) == 40
    roc = curves["roc"][0]
    assert (roc["fpr"][0], roc["tpr"][0], roc["fpr"][-1], roc["tpr"][-1]) == (0, 0, 1, 1)


def test_a_probability_that_is_no_number_is_refused(study):
    rows, _ = study
    broken = answers(rows)
    broken[0]["prob"] = float("nan")
    with pytest.raises(NotAScore):
        run(rows, broken)


def test_shuffled_answers_are_not_better_than_the_prior():
    rows = [a_row(n, "test" if n < 80 else "train", density=LETTERS[n % 4]) for n in range(160)]
    gap = the(run(rows, answers(rows, 0.0)).metrics, "difference:prior:qwk")
    assert not gap["params"]["better"]


def test_two_thousand_draws_of_three_hundred_images_are_drawn(study):
    rows = [a_row(n, "test" if n % 2 else "train", density=LETTERS[n % 4]) for n in range(600)]
    found = run(rows, answers(rows, 0.7), bootstrap=2000)
    assert {row["params"]["replicates"] for row in found.metrics if row["ci"] and not row["subgroup"]} == {2000}


def test_machines_are_told_apart_and_a_cell_of_few_shows_its_counts():
    makes = ["Lorad"] * 60 + ["Selenia"] * 6
    rows = [a_row(n, "test", density=LETTERS[n % 4], manufacturer=make) for n, make in enumerate(makes)]
    cells = [row for row in run(rows, answers(rows)).metrics if row["subgroup"]]
    assert [(c["subgroup"]["manufacturer"], c["name"], c["n_units"]) for c in cells] == [
        ("Lorad", "qwk", 60), ("Lorad", "accuracy", 60), ("Selenia", "qwk", 6), ("Selenia", "accuracy", 6),
    ]  # fmt: skip
    assert cells[0]["value"] == 1.0 and cells[0]["ci"]
    assert (cells[2]["value"], cells[2]["reason"], cells[2]["ci"]) == (None, "too_few", None)


def test_kappas_and_the_auc_of_each_class_stand_beside_the_headline(study):
    rows, _ = study
    predictions = answers(rows, 0.6)
    found = run(rows, predictions)
    p = np.array([row["prob"] for row in predictions]).reshape(-1, 4)[60:]
    truth = np.array([LETTERS.index(row["density"]["label"]) for row in rows[60:]])
    matrix = categories.confusion(truth, p.argmax(axis=1), 4)
    for name, weighting in (("qwk", "quadratic"), ("kappa_linear", "linear"), ("kappa", "none")):
        assert the(found.metrics, name)["value"] == pytest.approx(float(categories.kappa(matrix, weighting)))
    assert the(found.metrics, "auc_ovr")["value"] == pytest.approx(classification.auc_one_vs_rest(truth, p))
    assert the(found.metrics, "f1:A")["value"] == pytest.approx(float(categories.f1(matrix)[0]))


def test_the_calibration_error_has_its_widest_bin_and_bins_of_equal_count_beside_it(study):
    rows, _ = study
    predictions = answers(rows, 0.6)
    row = the(run(rows, predictions).metrics, "ece")
    p = np.array([row["prob"] for row in predictions]).reshape(-1, 4)[60:]
    truth = [LETTERS.index(row["density"]["label"]) for row in rows[60:]]
    by_width, by_count = (calibration.reliability(truth, p, binning=how) for how in ("width", "count"))
    assert (row["value"], row["params"]["mce"], row["params"]["equal_count"]) == pytest.approx(
        (by_width.ece, by_width.mce, by_count.ece)
    )


def test_otsus_share_is_cut_where_the_training_readers_did():
    rng = np.random.default_rng(0)
    rows = [a_row(n, "train" if n < 60 else "test", density=LETTERS[n % 4]) for n in range(100)]

    def pixels(row):
        bright = np.zeros((SIZE, SIZE))
        bright[: 6 + 20 * LETTERS.index(row["density"]["label"])] = 0.5
        return an_image(np.clip(0.2 + bright + rng.normal(0, 0.02, (SIZE, SIZE)), 0, 1))

    found = run(rows, answers(rows), pixels=pixels)
    assert the(found.metrics, "baseline:otsu_percent_density:qwk")["value"] == pytest.approx(1.0)


def test_percent_density_is_told_beside_the_class():
    rows = [a_row(n, "test", density=LETTERS[n % 4]) for n in range(20)]
    scalars = [
        {"level": "image", "kind": "scalar", "target": "percent_density", "value": 10.0 * (n % 4) + 5, "member": -1,
         "exam_id": row["exam_id"], "image_id": row["image_id"], "patient_id": row["patient_id"]}
        for n, row in enumerate(rows)
    ]  # fmt: skip
    row = the(run(rows, answers(rows) + scalars[:16]).metrics, "pd_spearman")
    assert (row["value"], row["n_units"], row["target"]) == (pytest.approx(1.0), 16, "percent_density")
    with pytest.raises(NotAScore):
        run(rows, [*answers(rows), {**scalars[0], "value": float("inf")}])


def test_without_a_test_patient_the_headline_is_said_to_be_of_validation(study):
    rows, _ = study
    rows = [{**row, "split": "val"} for row in rows]
    found = run(rows, answers(rows), splits=("val",))
    assert found.headline["qwk"] == pytest.approx(1.0) and found.headline_split == "val"
