"""The reports of yes or no: what is true of an exam, how scores go up, figures, cells, the gap, baselines, misses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml.evaluation import classification
from ml.evaluation.report import evaluate
from ml.evaluation.reports.binary_units import key_of, scores, together, truths
from ml.evaluation.undefined import NotAScore
from tests.ml.evaluation.reports.factories import SIZE, a_row, an_image

MASS = ("mass", [20, 30, 34, 44])


def an_exam(n, split, *, cancer=None, sides="RL", findings=(), **more):
    """One image a side; `cancer` and `findings` are of the right breast, the left is healthy and complete."""
    rows = []
    for side in sides:
        own = findings if side == "R" else ()
        outcome = None if cancer is None else {"cancer": cancer if side == "R" else 0}
        rows.append(a_row(n, split, image=f"{side}", findings=own, laterality=side, view="CC", outcome=outcome, **more))
    return rows


def said(row, p, level="image", target="outcome"):
    """The two rows of a yes or no; level exam has no laterality and no image."""
    about = {k: row[k] for k in ("exam_id", "patient_id", "split")}
    about |= {"image_id": row["image_id"] if level == "image" else None}
    about |= {"laterality": row.get("laterality") if level in ("image", "breast") else None}
    return [
        {**about, "level": level, "kind": "prob", "target": target, "class_index": c, "prob": q, "member": -1,
         "label": ("negative", "positive")[c]}
        for c, q in ((0, 1 - p), (1, p))
    ]  # fmt: skip


def the(metrics, name, level="exam", split="test", subgroup=None):
    found = [
        row for row in metrics
        if (row["name"], row["level"], row["split"], row["subgroup"]) == (name, level, split, subgroup)
    ]  # fmt: skip
    assert len(found) == 1, (name, level, len(found))
    return found[0]


def run(rows, predictions, task="exam_classification", **more):
    options = {"task": task, "splits": ("test",), "bootstrap": 200, "seed": 1, **more}
    return evaluate(predictions=predictions, manifest=rows, **options)


def a_study(n=80, seed=0, **more):
    """Half of the exams validate, half test; every second has cancer, scores overlap."""
    rng = np.random.default_rng(seed)
    rows, predictions = [], []
    for i in range(n):
        own = an_exam(i, "val" if i < n // 2 else "test", cancer=i % 2, **more)
        rows += own
        for row in own:
            sick = row["outcome"]["cancer"]
            predictions += said(row, float(np.clip(rng.normal(0.35 + 0.25 * sick, 0.15), 0, 1)))
    return rows, predictions


TRUTHS = [
    ("outcome", (), [{"outcome": {"cancer": 1}}, {"outcome": None}], 1),
    ("outcome", (), [{"outcome": {"cancer": 0}}, {"outcome": None}], 0),
    ("outcome", (), [{"outcome": None}], None),
    ("presence", ("mass",), [{"findings": [MASS]}, {}], 1),
    ("presence", ("calcification",), [{"findings": [MASS]}, {}], 0),
    ("presence", ("mass",), [{}, {"complete": False}], None),
    ("presence", (), [{"findings": [MASS], "complete": False}], 1),
    ("asymmetry", (), [{"findings": [("asymmetry", None)]}], 1),
    ("asymmetry", (), [{"findings": [MASS]}], 0),
]


@pytest.mark.parametrize(("target", "findings", "images", "truth"), TRUTHS)
def test_what_is_true_of_a_breast(target, findings, images, truth):
    rows = [a_row(1, "test", image=f"i{k}", laterality="R", **own) for k, own in enumerate(images)]
    assert truths(rows, target, findings, "breast").get(key_of(rows[0], "breast")) == truth


def test_a_finding_to_be_ignored_says_neither_yes_nor_no():
    row = a_row(1, "test", findings=[MASS], laterality="R")
    row["findings"][0]["difficulty"] = "ignore"
    assert truths([row], "presence", (), "exam") == {}


@pytest.mark.parametrize(("pathology", "truth"), [("malignant", 1), ("benign", 0), ("unknown", None)])
def test_malignant_is_known_only_where_pathology_is(pathology, truth):
    row = a_row(1, "test", findings=[MASS], laterality="R")
    row["findings"][0]["pathology"] = pathology
    assert truths([row], "pathology", ("mass",), "exam").get(("p001", "e1")) == truth


def test_an_exam_is_negative_only_if_both_breasts_are_known_to_be():
    right, left = an_exam(1, "test", cancer=0)
    assert truths([right, {**left, "outcome": None}], "outcome", (), "exam") == {}
    assert truths([right, left], "outcome", (), "exam") == {("p001", "e1"): 0}


def test_scores_go_up_by_their_maximum_unless_the_level_speaks_itself():
    right, left = an_exam(1, "test", cancer=1)
    rows = [right, left]
    images = [*said(right, 0.7), *said(left, 0.4)]
    assert together(scores(images, rows, "outcome"), "exam") == {("p001", "e1"): 0.7}
    breast = [*images, *said(right, 0.2, "breast")]
    assert together(scores(breast, rows, "outcome"), "exam") == {("p001", "e1"): 0.4}
    assert together(scores([*breast, *said(right, 0.9, "exam")], rows, "outcome"), "exam") == {("p001", "e1"): 0.9}
    assert together(scores([*breast, *said(right, 0.9, "exam")], rows, "outcome"), "patient") == {("p001",): 0.9}


def test_figures_equal_the_plain_functions_on_the_same_units():
    rows, predictions = a_study()
    found = run(rows, predictions)
    exams = [rows[i] for i in range(80, 160, 2)]
    y = np.array([row["outcome"]["cancer"] for row in exams])
    by_image = {row["image_id"]: row["prob"] for row in predictions if row["class_index"] == 1}
    s = np.array([max(by_image[f"R{i}"], by_image[f"L{i}"]) for i in range(40, 80)])
    auc = the(found.metrics, "auc")
    assert auc["value"] == pytest.approx(classification.auc(y, s))
    assert auc["ci"] == pytest.approx(classification.delong_interval(classification.delong(y, s)))
    assert (auc["ci_method"], auc["n_units"], auc["n_pos"], auc["n_patients"]) == ("delong_logit", 40, 20, 40)
    sens = the(found.metrics, "sens@spec0.9")
    assert (sens["value"], sens["params"]["threshold"]) == pytest.approx(classification.sensitivity_at(y, s, 0.9))
    assert sens["ci_method"] == "wilson"
    assert the(found.metrics, "ap")["value"] == pytest.approx(classification.average_precision(y, s))
    assert the(found.metrics, "pauc@0.1")["value"] == pytest.approx(classification.partial_auc(y, s)[1])
    assert the(found.metrics, "brier")["value"] == pytest.approx(((s - y) ** 2).mean())
    assert found.headline["auc"] == pytest.approx(auc["value"]) and "sens@spec0.9" in found.headline
    json.dumps([found.metrics, found.curves, found.worst, found.thresholds], allow_nan=False)
    keys = [(r["name"], r["target"], r["level"], r["split"], str(r["subgroup"])) for r in found.metrics]
    assert len(set(keys)) == len(keys)


def test_two_exams_of_a_patient_are_drawn_together():
    rows, predictions = a_study()
    for row in [*rows, *predictions]:
        row["patient_id"] = f"p{int(row['patient_id'][1:]) // 2:03d}"
    found = run(rows, predictions)
    assert the(found.metrics, "auc")["ci_method"] == "patient_bootstrap_percentile"
    assert the(found.metrics, "auc", "patient")["n_units"] == 20
    assert the(found.metrics, "auc", "patient")["reason"] == "one_class"


def test_the_threshold_is_validations_and_is_applied_unchanged():
    rows, predictions = a_study()
    found = run(rows, predictions)
    threshold = found.thresholds["exam"]["score"]
    units = [r for r in rows if r["split"] == "val" and r["laterality"] == "R"]
    by_image = {row["image_id"]: row["prob"] for row in predictions if row["class_index"] == 1}
    s = [max(by_image[r["image_id"]], by_image[r["image_id"].replace("R", "L")]) for r in units]
    y = [r["outcome"]["cancer"] for r in units]
    assert threshold == pytest.approx(classification.sensitivity_at(y, s, 0.9)[1])
    tests = [r for r in rows if r["split"] == "test" and r["laterality"] == "R"]
    st = [max(by_image[r["image_id"]], by_image[r["image_id"].replace("R", "L")]) for r in tests]
    expected = classification.decision([r["outcome"]["cancer"] for r in tests], st, threshold)
    for name in ("sensitivity", "specificity", "ppv", "npv", "abnormal_rate"):
        row = the(found.metrics, name)
        assert row["value"] == pytest.approx(expected[name]) and row["params"]["chosen_on"] == "val"
    assert the(found.metrics, "sensitivity")["params"]["k"] == expected["tp"]


def test_without_validation_no_decision_is_taken():
    rows, predictions = a_study()
    found = run([row for row in rows if row["split"] == "test"], predictions)
    assert (the(found.metrics, "ppv")["value"], the(found.metrics, "ppv")["reason"]) == (None, "no_threshold")


def test_without_validation_the_threshold_is_the_model_s_own():
    rows, predictions = a_study()
    stored = run(rows, predictions).thresholds
    found = run([row for row in rows if row["split"] == "test"], predictions, thresholds=stored)
    assert found.thresholds == stored
    assert the(found.metrics, "ppv")["params"]["threshold"] == stored["exam"]["score"]


def test_an_empty_split_gives_nulls():
    found = run(an_exam(1, "train", cancer=1), [])
    assert {row["value"] for row in found.metrics} == {None}


def test_a_model_of_exams_says_nothing_of_breasts():
    rows, _ = a_study()
    whole = [q for row in rows if row["laterality"] == "R" for q in said(row, 0.2 + 0.5 * row["outcome"]["cancer"],
                                                                        "exam")]  # fmt: skip
    found = run(rows, whole)
    assert {row["level"] for row in found.metrics} == {"exam", "patient"}
    assert the(found.metrics, "auc")["value"] == 1.0


def test_unknown_and_unanswered_exams_are_counted():
    rows, predictions = a_study()
    rows += an_exam(900, "test", cancer=1) + an_exam(901, "test")
    row = the(run(rows, predictions).metrics, "auc")
    assert row["n_units"] == 40 and row["params"] == {"unanswered": 1, "truth_unknown": 1}


def test_passes_of_dropout_are_no_answers_and_nan_is_refused():
    rows, predictions = a_study()
    extra = [{**row, "member": 2, "prob": 0.5} for row in predictions]
    assert (
        the(run(rows, predictions + extra).metrics, "auc")["value"]
        == the(run(rows, predictions).metrics, "auc")["value"]
    )
    with pytest.raises(NotAScore):
        run(rows, [{**predictions[1], "prob": float("nan")}])


def test_shuffling_rows_and_answers_changes_nothing():
    rows, predictions = a_study()
    rng = np.random.default_rng(4)
    again = run(
        [rows[i] for i in rng.permutation(len(rows))], [predictions[i] for i in rng.permutation(len(predictions))]
    )
    assert again.metrics == run(rows, predictions).metrics


def test_cells_of_few_show_counts_and_the_gap_has_a_verdict():
    rows, predictions = a_study(240)
    rng = np.random.default_rng(1)
    for n in range(240):
        own = [row for row in rows if row["exam_id"] == f"e{n}"]
        dense = n % 4 > 1
        for row in own:
            row["density"] = {"label": "D" if dense else "A"}
            row["manufacturer"] = "Rare" if n >= 230 else "Usual"
        if dense:
            for p in (p for p in predictions if p["exam_id"] == f"e{n}" and p["class_index"] == 1):
                p["prob"] = float(rng.random())
    found = run(rows, predictions)
    rare = the(found.metrics, "auc", subgroup={"manufacturer": "Rare"})
    assert (rare["value"], rare["reason"], rare["n_pos"], rare["n_neg"]) == (None, "too_few", 5, 5)
    fatty = the(found.metrics, "auc", subgroup={"density": "A+B"})["value"]
    dense = the(found.metrics, "auc", subgroup={"density": "C+D"})["value"]
    gap = the(found.metrics, "dense_gap", subgroup={"density": "A+B minus C+D"})
    assert gap["value"] == pytest.approx(fatty - dense) and gap["ci_method"] == "delong"
    assert gap["params"]["verdict"] == "worse in dense" and gap["ci"][0] > 0


def test_a_finding_types_cell_has_all_negatives():
    rows = [r for n in range(60) for r in an_exam(n, "test", findings=[MASS] if n % 3 == 0 else
            [("calcification", [5, 5, 9, 9])] if n % 3 == 1 else ())]  # fmt: skip
    answers = [q for row in rows for q in said(row, 0.9 if row["findings"] and row["findings"][0]["type"] == "mass" else
               0.1, target="presence")]  # fmt: skip
    found = run(rows, answers, target="presence")
    cell = the(found.metrics, "auc", subgroup={"finding_type": "mass"})
    assert (cell["n_pos"], cell["n_neg"], cell["value"]) == (20, 20, 1.0)
    assert the(found.metrics, "auc", subgroup={"finding_type": "calcification"})["value"] == 0.5


def test_the_worst_are_the_positives_with_the_lowest_scores_then_the_alarms():
    rows, predictions = a_study()
    worst = run(rows, predictions).worst
    missed = [w for w in worst if w["kind"] == "wrong_class"]
    alarms = [w for w in worst if w["kind"] == "false_alarm"]
    assert missed and [w["score"] for w in missed] == sorted(w["score"] for w in missed)
    assert [w["score"] for w in alarms] == sorted((w["score"] for w in alarms), reverse=True)
    assert all(int(w["exam_id"][1:]) % 2 == 1 for w in missed) and all(int(w["exam_id"][1:]) % 2 == 0 for w in alarms)


@pytest.fixture
def pictures():
    """Sick right breasts are brighter in the middle than left ones and healthy ones."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rng = np.random.default_rng(0)

    def pixels(row):
        disc = 0.4 * (np.hypot(x - 24, y - 48) < 12) * bool((row["outcome"] or {}).get("cancer") or row["findings"])
        return an_image(np.clip(0.3 + disc + rng.normal(0, 0.02, (SIZE, SIZE)), 0, 1))

    return pixels


def test_the_baselines_see_what_is_bright(pictures):
    rows, predictions = a_study()
    rows += [row for n in range(200, 240) for row in an_exam(n, "train", cancer=n % 2)]
    found = run(rows, predictions, pixels=pictures)
    for name in ("breast_regression", "brightest_spot"):
        assert the(found.metrics, f"baseline:{name}:auc")["value"] > 0.95
        gap = the(found.metrics, f"difference:{name}:auc")
        assert gap["value"] < 0 and gap["params"]["better"] is False
        assert gap["ci_method"] == "patient_bootstrap_percentile"
    assert the(found.metrics, "baseline:prior:auc")["value"] == 0.5
    assert the(found.metrics, "difference:prior:auc")["params"]["better"]
    assert the(found.metrics, "difference:prior:brier")["params"]["better"]
    assert not [row for row in found.metrics if row["name"] == "baseline:brightest_spot:brier"]


def test_left_and_right_are_compared_for_asymmetry(pictures):
    mark = [("asymmetry", [10, 40, 30, 60])]
    rows = [r for n in range(60) for r in an_exam(n, ("train", "val", "test")[n % 3], findings=mark if n % 2 else ())]
    answers = [q for row in rows for q in said(row, 0.5, target="asymmetry")]
    found = run(rows, answers, "asymmetry", pixels=pictures)
    assert the(found.metrics, "auc")["value"] == 0.5
    for name in ("left_right_mean", "left_right_area", "breast_regression"):
        assert the(found.metrics, f"baseline:{name}:auc")["value"] > 0.95
    assert {row["level"] for row in found.metrics} == {"exam", "patient"}
    assert found.headline["auc"] == 0.5


def test_a_target_that_is_not_yes_or_no_is_refused():
    rows, predictions = a_study()
    with pytest.raises(ValueError, match="tissue"):
        run(rows, predictions, target="tissue")


def test_draws_taken_a_few_at_a_time_are_the_same_draws(monkeypatch):
    data = a_study()
    whole = run(*data)
    monkeypatch.setattr("ml.evaluation.reports.rows.CELLS_AT_ONCE", 300)
    for row, other in zip(run(*data).metrics, whole.metrics, strict=True):
        assert (row["name"], row["value"], row["ci"]) == (
            other["name"],
            *(pytest.approx(other[k]) for k in ("value", "ci")),
        )
