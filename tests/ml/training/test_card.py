"""What the card says for people, and what it claims beside baselines: only what was looked at."""

import pytest

from ml.evaluation.report import TASKS, Evaluation
from ml.methods import get
from ml.runs.manifest import Finding, ManifestMeta, Mark
from ml.training.card import against_baselines, card_of, card_text
from ml.training.making import Making
from ml.training.model_folder import ModelSpec


def a_row(level, name, series="model", baseline=None, better=False, **fields):
    full = name if series == "model" else f"{series}:{baseline}:{name}"
    params = {"better": better} if series == "difference" else {}
    return {
        "name": full, "metric": name, "series": series, "baseline": baseline, "target": "t", "level": level,
        "split": "test", "subgroup": None, "value": 0.1, "params": params, **fields,
    }  # fmt: skip


def a_gap(level, name, baseline, **fields):
    return a_row(level, name, "difference", baseline, **{"ci": [-0.1, 0.3], **fields})


def told(said):
    """The verdicts that are said of some figure."""
    return {verdict: texts for verdict, texts in said.items() if texts}


def leading_of(task):
    return [(level, name) for level, names in TASKS[task].headlines.items() for name in names]


@pytest.mark.parametrize("task", TASKS)
def test_a_figure_without_a_baseline_was_not_compared_whatever_the_task(task):
    said = against_baselines([a_row(*own) for own in leading_of(task)], task)
    assert said["not_compared"] == [f"t {name} on test" for _, name in leading_of(task)]
    assert not any(texts for verdict, texts in said.items() if verdict != "not_compared")


@pytest.mark.parametrize("task", TASKS)
def test_better_is_claimed_of_differences_that_are_alone(task):
    (level, first), (_, second), *_ = leading_of(task)
    rows = [a_row(level, first), a_gap(level, first, "prior", better=True), a_gap(level, first, "area"),
            a_row(level, second), a_gap(level, second, "prior", value=None, better=True)]  # fmt: skip
    assert told(against_baselines(rows, task)) == {
        "better": [f"t {first} on test against prior"],
        "no_better": [f"t {first} on test against area"],
        "not_compared": [f"t {second} on test against prior"],
    }


# The same cases as of the models' page, frontend/src/pages/models/report.test.ts.
@pytest.mark.parametrize(
    ("ci", "params", "verdict"),
    [
        ([0.1, 0.5], {"better": True}, "better"),
        ([-0.5, -0.1], {"better": True}, "better"),
        ([-0.1, 0.5], {"better": False}, "no better"),
        ([0, 0.5], {"better": False}, "no better"),
        ([-0.4, -0.1], {"better": False}, "worse"),
        ([0.1, 0.5], {"better": False}, "worse"),
        ([0.1, 0.5], {"better": True, "wide": True}, "too few to tell"),
        ([-0.4, -0.1], {"better": False, "wide": True}, "too few to tell"),
        (None, {"better": False}, "too few to tell"),
    ],
)
def test_a_card_says_of_a_difference_what_the_page_says(ci, params, verdict):
    rows = [a_row("exam", "qwk"), a_gap("exam", "qwk", "prior", ci=ci, params=params)]
    said = against_baselines(rows, "density")
    assert [name.replace("_", " ") for name in told(said)] == [verdict]


def test_validation_chose_the_weights_and_proves_nothing_where_there_are_others():
    on_val = [a_row("exam", "qwk", split="val"), a_gap("exam", "qwk", "prior", better=True, split="val")]
    assert against_baselines([*on_val, a_row("exam", "qwk")], "density")["better"] == []
    assert against_baselines(on_val, "density")["better"] == ["t qwk on val against prior"]


def test_where_no_image_is_normal_the_figure_on_all_images_is_compared():
    rows = [a_row("finding", "cpm", value=None, reason="no_normals"), a_row("finding", "cpm:complete"),
            a_gap("finding", "cpm:complete", "blobs", better=True)]  # fmt: skip
    assert told(against_baselines(rows, "lesion_detection")) == {
        "better": ["t cpm:complete on test against blobs"], "not_compared": ["t cpm on test"],
    }  # fmt: skip


def test_what_was_not_judged_claims_nothing():
    assert not any(against_baselines([], None).values())


@pytest.mark.parametrize(
    ("split", "said"),
    [("test", "whom the model never saw"), ("val", "who chose the weights and the temperature")],
)
def test_a_card_says_whom_its_headline_is_of(split, said):
    method = get("dcse_resnet50")
    spec = ModelSpec(method="dcse_resnet50", size="tiny", task="density", config={}, pixels={}, labels=("A",))
    found = Evaluation([], {}, [], {"qwk": 0.61}, headline_split=split)
    card = card_of(spec, method, [], found, ManifestMeta(rows=0, sha256="", snapshot_id="s"), judged="density")
    assert card["headline_split"] == split
    assert said in card_text(card) and "- qwk: 0.610" in card_text(card)


INTERVAL = {"ci": [0.5, 0.7], "n_patients": 40, "n_units": 40, "reason": None}


def a_figure(name, split="test", **fields):
    return a_row("exam", name, split=split, **{**INTERVAL, "value": 0.61, **fields})


def test_a_card_tells_intervals_groups_calibration_failures_and_cost_of_patients_who_chose_nothing(a_row_of_a_patient):
    rows = [
        a_figure("qwk"), a_figure("qwk", split="val"), a_figure("ece", ci=None),
        a_figure("accuracy", subgroup={"density": "C+D"}), a_figure("dense_gap", subgroup={"density": "A+B minus C+D"}),
    ]  # fmt: skip
    made = Making(
        run_id="r1", stages={"main": {"steps": 20}}, flagged={"mask_failed": {"images": 3, "of": 100, "share": 0.03}},
        cost={"device": "cuda:0", "gpu": "H100", "seconds": 90.0, "attempts": 2, "gpu_hours": 0.025,
              "peak_gpu_mb": 900, "peak_ram_mb": 1500},
    )  # fmt: skip
    spec = ModelSpec(method="dcse_resnet50", size="tiny", task="density", config={}, pixels={}, labels=("A",))
    found = Evaluation(rows, {}, [], {"qwk": 0.61}, headline_split="test")
    card = card_of(spec, get("dcse_resnet50"), a_row_of_a_patient, found, ManifestMeta(rows=0, sha256="m"),
                   judged="density", made=made)  # fmt: skip
    assert [(row["name"], row["split"]) for row in card["leading"]] == [("qwk", "test")]
    assert [row["name"] for row in card["subgroups"]] == ["accuracy"]
    assert [row["name"] for row in card["dense_gap"]] == ["dense_gap"]
    assert [row["name"] for row in card["calibration"]] == ["ece"]
    assert card["training"]["age_band"] == {"50-59": 1, "unknown": 1}
    assert card["training"]["marks_model_accepted_share"] == 0.5
    assert (card["run_id"], card["stages"], card["cost"]["gpu_hours"]) == ("r1", {"main": {"steps": 20}}, 0.025)
    text = card_text(card)
    for said in (
        "t qwk on test: 0.610 (0.500 to 0.700), 40 patients",
        "accuracy on test, density C+D: 0.610",
        "mask_failed, 3 of 100 images (3.0 %): no breast was found in these images",
        "90 s on H100, 0.025 GPU hours; attempts: 2",
    ):
        assert said in text


@pytest.fixture
def a_row_of_a_patient(a_row):
    marks = [Mark(mark_id=own, kind="point", geometry=[1, 1], provenance=own) for own in ("human", "model_accepted")]
    lesion = Finding(finding_id="f", type="mass", marks=tuple(marks))
    return [a_row("i1", age_band="50-59", findings=(lesion,)), a_row("i2")]
