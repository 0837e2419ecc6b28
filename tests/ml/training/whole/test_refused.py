"""Data, options and answers that refuse a whole run, each with its code."""

import json
from dataclasses import replace

import pytest
import torch

from ml.runs.exits import Exit
from ml.runs.manifest import Finding, Mark
from ml.training.predicting import Predictor
from tests.ml.training.whole.folders import events_of, ml


def unreadable(rows):
    return [replace(row, pixel_path="gone.npy") if row.image_id == "i3" else row for row in rows]


def test_one_image_in_eighteen_that_cannot_be_read_refuses_the_training(a_folder):
    run = a_folder("run", change=unreadable)
    assert ml(run) == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "unreadable_images"


def one_patient_twice(rows):
    return [replace(row, patient_id="p0") if row.image_id in ("i0", "i12") else row for row in rows]


def unlabelled(rows):
    return [replace(row, density=None) for row in rows]


def wrong_hash(rows):
    return [replace(row, sha256="0" * 64) if row.image_id == "i3" else row for row in rows]


def wrong_size(rows):
    return [replace(row, rows=161) if row.image_id == "i3" else row for row in rows]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (one_patient_twice, "leakage_patient"),
        (unlabelled, "labels_missing"),
        (wrong_hash, "hash_mismatch"),
        (wrong_size, "size_mismatch"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused_with_the_reason(a_folder, change, code):
    run = a_folder("run", change=change)
    assert ml(run) == Exit.DATA_REFUSED
    last = events_of(run)[-1]
    assert (last["type"], last["code"], last["exit_code"]) == ("failed", code, 3)


def test_an_unknown_option_of_the_method_or_of_the_pixels_is_refused(a_folder):
    assert ml(a_folder("config", speed=3)) == Exit.INVALID_REQUEST
    run = a_folder("contrast")
    document = json.loads((run / "request.json").read_text())
    document["pixels"]["contrast"] = 2
    (run / "request.json").write_text(json.dumps(document))
    assert ml(run) == Exit.INVALID_REQUEST
    assert ml(run, "score") == Exit.INVALID_REQUEST  # the folder asks for train


def test_predictions_that_are_no_numbers_refuse_an_evaluation(a_folder):
    run = a_folder("run", command="evaluate")
    about = {
        "level": "image",
        "kind": "prob",
        "target": "density",
        "class_index": 0,
        "prob": float("nan"),
        "member": -1,
    }
    rows = [
        {**about, "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}", "split": "test"} for n in (10, 11)
    ]
    (run / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ml(run, "evaluate") == Exit.DATA_REFUSED
    last = events_of(run)[-1]
    assert (last["type"], last["code"], last["exit_code"]) == ("failed", "prediction_not_finite", 3)


def test_a_training_whose_boxes_are_no_numbers_ends_refused_and_without_a_model(a_folder, monkeypatch):
    def broken(self, prediction):
        return replace(prediction, scores=torch.full_like(prediction.scores, float("nan")))

    monkeypatch.setattr(Predictor, "calibrated", broken)
    run = a_folder("run", "retinanet_mass", steps=2, batch=2)
    assert ml(run) == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "prediction_not_finite"
    assert not (run / "model").exists()


def masked_and_without_the_mask(rows):
    mark = Mark(mark_id="m", kind="mask", geometry={"path": "gone.png"})
    finding = Finding(finding_id="f", type="mass", marks=(mark,))
    return [replace(row, findings=(finding,)) if row.image_id == "i13" else row for row in rows]


def test_a_mask_that_cannot_be_read_refuses_an_evaluation(a_folder):
    run = a_folder("run", "retinanet_mass", "evaluate", change=masked_and_without_the_mask)
    (run / "predictions.jsonl").write_text("")
    assert ml(run, "evaluate") == Exit.DATA_REFUSED
    assert events_of(run)[-1]["code"] == "pixels_unreadable"
