"""Methods whose stored answer is a formula of the scores that are stored with it. Source: methods-17.md 3.11, 3.13b."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ml.evaluation.calibration import CALIBRATE_FROM, fit_temperature
from ml.methods import NAMES, get
from ml.methods.dream_ensemble import NAMES as MEMBERS
from ml.methods.screening_ensemble import MODELS
from ml.runs.manifest import Outcome
from ml.training.model_folder import load_model
from tests.ml.methods.world import asked, tried

TASK = "exam_classification"


def said_of_exams(run):
    """By exam: the probability of cancer, its split, and the stored numbers by name."""
    found = {}
    for row in map(json.loads, (run / "predictions.jsonl").read_text().splitlines()):
        own = found.setdefault(row["exam_id"], {"split": row["split"]})
        if row["kind"] == "scalar":
            own[row["target"]] = row["value"]
        elif row["kind"] == "prob" and row["class_index"] == 1:
            own["answer"] = row["prob"]
    return found


def mean_of_three(model, own):
    return np.mean([own[f"score_{name}"] for name in MODELS])


def regression(model, own):
    exam = model.modules["stack"].levels["exam"]
    worst = np.max([[own[f"{name}_{side}"] for name in MEMBERS] for side in ("right", "left")], 0)
    return 1 / (1 + np.exp(-(worst @ exam.weight[1].numpy() + float(exam.bias[1]))))


def test_the_two_ensembles_alone_calibrate_themselves():
    assert {name for name in NAMES if get(name).self_calibrated} == {"screening_ensemble", "dream_ensemble"}


@pytest.mark.parametrize(("name", "formula"), [("screening_ensemble", mean_of_three), ("dream_ensemble", regression)])
def test_the_stored_answer_is_the_formula_of_the_stored_scores_whatever_temperature_a_model_has(
    name, formula, trained, world, tmp_path
):
    rows, folder = world
    shutil.copytree(trained(name, TASK), tmp_path / "tempered")
    spec = tmp_path / "tempered" / "model" / "spec.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "temperature": 3.0}))
    model, own = load_model(spec.parent), [row for row in rows if row.split == "test"]
    answers = {}
    for command, split in (("predict", "test"), ("score", "pool")):
        asking = [replace(row, split=split) for row in own]
        said = said_of_exams(asked(tmp_path / command, tmp_path / "tempered", asking, folder, command))
        assert len(said) == 3
        assert all(exam["answer"] == pytest.approx(formula(model, exam), abs=1e-6) for exam in said.values())
        answers[command] = [said[exam]["answer"] for exam in sorted(said)]
    assert answers["score"] == pytest.approx(answers["predict"], abs=1e-6)


@pytest.mark.slow
def test_no_temperature_is_fitted_however_many_validation_exams_there_are(world, tmp_path):
    rows, folder = world

    def copies(patient, cancer):
        return [
            replace(row, **{key: f"{getattr(row, key)}-{n}" for key in ("image_id", "exam_id", "patient_id")},
                    outcome=Outcome(cancer=cancer))
            for row in rows if row.patient_id == patient for n in range(CALIBRATE_FROM // 2)
        ]  # fmt: skip

    many = [*rows, *copies("p6", 0), *copies("p7", 1)]
    run = tried(tmp_path / "run", many, folder, "screening_ensemble", TASK)
    model, said = load_model(run / "model"), said_of_exams(run)
    val = [(own["answer"], int(exam.startswith("e7-"))) for exam, own in said.items() if own["split"] == "val"]
    answers, truth = np.array([p for p, _ in val]), [y for _, y in val]
    # What another classifier with these answers would be tempered by.
    assert abs(fit_temperature(truth, np.log(np.stack([1 - answers, answers], 1))) - 1) > 0.05
    assert (model.spec.temperature, model.spec.prior_shift) == (1.0, ())
    assert all(own["answer"] == pytest.approx(mean_of_three(model, own), abs=1e-6) for own in said.values())
