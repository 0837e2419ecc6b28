"""What the card says for people, and what it claims beside baselines: only what was looked at."""

import pytest

from ml.evaluation.report import TASKS, Evaluation
from ml.methods import get
from ml.runs.manifest import ManifestMeta
from ml.training.card import against_baselines, card_of, card_text
from ml.training.model_folder import ModelSpec


def a_row(level, name, series="model", baseline=None, better=False, **fields):
    full = name if series == "model" else f"{series}:{baseline}:{name}"
    params = {"better": better} if series == "difference" else {}
    return {
        "name": full, "metric": name, "series": series, "baseline": baseline, "target": "t", "level": level,
        "split": "test", "subgroup": None, "value": 0.1, "params": params, **fields,
    }  # fmt: skip


def a_gap(level, name, baseline, **fields):
    return a_row(level, name, "difference", baseline, **fields)


def leading_of(task):
    return [(level, name) for level, names in TASKS[task].headlines.items() for name in names]


@pytest.mark.parametrize("task", TASKS)
def test_a_figure_without_a_baseline_was_not_compared_whatever_the_task(task):
    said = against_baselines([a_row(*own) for own in leading_of(task)], task)
    assert said["not_compared"] == [f"t {name} on test" for _, name in leading_of(task)]
    assert not said["better"] and not said["not_better"]


@pytest.mark.parametrize("task", TASKS)
def test_better_is_claimed_of_differences_that_are_alone(task):
    (level, first), (_, second), *_ = leading_of(task)
    rows = [a_row(level, first), a_gap(level, first, "prior", better=True), a_gap(level, first, "area"),
            a_row(level, second), a_gap(level, second, "prior", value=None, better=True)]  # fmt: skip
    assert against_baselines(rows, task) == {
        "better": [f"t {first} on test against prior"],
        "not_better": [f"t {first} on test against area"],
        "not_compared": [f"t {second} on test against prior"],
    }


def test_validation_chose_the_weights_and_proves_nothing_where_there_are_others():
    on_val = [a_row("exam", "qwk", split="val"), a_gap("exam", "qwk", "prior", better=True, split="val")]
    assert against_baselines([*on_val, a_row("exam", "qwk")], "density")["better"] == []
    assert against_baselines(on_val, "density")["better"] == ["t qwk on val against prior"]


def test_where_no_image_is_normal_the_figure_on_all_images_is_compared():
    rows = [a_row("finding", "cpm", value=None, reason="no_normals"), a_row("finding", "cpm:complete"),
            a_gap("finding", "cpm:complete", "blobs", better=True)]  # fmt: skip
    assert against_baselines(rows, "lesion_detection") == {
        "better": ["t cpm:complete on test against blobs"], "not_better": [], "not_compared": ["t cpm on test"],
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
