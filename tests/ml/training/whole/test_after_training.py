"""What is made of a finished run: metrics again, scores, predictions, a version that goes on."""

import json
import shutil

import pytest

from ml.runs.exits import Exit
from ml.runs.request import Init
from tests.ml.training.whole.folders import ml


def test_metrics_can_be_computed_again_from_what_was_predicted(a_folder):
    run = a_folder("run")
    assert ml(run) == Exit.FINISHED
    first = json.loads((run / "metrics.json").read_text())["metrics"]
    document = json.loads((run / "request.json").read_text())
    (run / "request.json").write_text(json.dumps({**document, "command": "evaluate"}))
    assert ml(run, "evaluate") == Exit.FINISHED
    again = json.loads((run / "metrics.json").read_text())["metrics"]
    assert [row for row in first if row["series"] == "model"] == [row for row in again if row["series"] == "model"]


def without_validation(rows):
    return [row for row in rows if row.split != "val"]


def test_an_evaluation_without_validation_applies_the_thresholds_of_the_model(a_folder):
    run = a_folder("run", "retinanet_mass", "evaluate", change=without_validation)
    box = {"level": "image", "kind": "box", "target": "mass", "score": 0.6, "x0": 28, "y0": 68, "x1": 52, "y1": 92}
    rows = [{**box, "image_id": f"i{n}", "exam_id": f"e{n}", "patient_id": f"p{n}"} for n in (11, 13)]
    (run / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "model").mkdir()
    thresholds = {"false_positives_per_image": 0.3, "split": "val", "score": {"mass": 0.5}}
    (run / "model" / "spec.json").write_text(json.dumps({"thresholds": thresholds}))
    assert ml(run, "evaluate") == Exit.FINISHED
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    told = {row["name"]: row for row in metrics if row["target"] == "mass"}
    assert told["sensitivity"]["value"] == 1.0 and told["sensitivity"]["params"]["threshold"] == 0.5
    assert told["fp_per_image"]["value"] == 0.0


def test_a_version_goes_on_is_scored_and_predicts(a_folder):
    first = a_folder("first", "retinanet_mass", steps=4, batch=2)
    assert ml(first) == Exit.FINISHED

    init = Init(kind="model_dir", path="init/model", version="Model 1")
    for name, command in (("second", "train"), ("scored", "score"), ("predicted", "predict")):
        run = a_folder(name, "retinanet_mass", command, init, steps=4, batch=2)
        (run / "init").mkdir()
        shutil.copytree(first / "model", run / "init" / "model")
        assert ml(run, command) == Exit.FINISHED
    root = first.parent
    stage = json.loads((root / "second" / "environment.json").read_text())["stages"]["main"]
    assert (stage["init"], stage["share"], stage["steps"]) == ("continued", 1.0, 2)
    spec = json.loads((root / "second" / "model" / "spec.json").read_text())
    before = json.loads((first / "model" / "spec.json").read_text())
    assert (spec["init"]["kind"], spec["init"]["sha256"]) == ("model_dir", before["weights_sha256"])
    assert [own["trained_on"] for own in spec["earlier"]] == [before["trained_on"]]
    card = (root / "second" / "model" / "card.md").read_text()
    assert f"from Model 1, weights {before['weights_sha256']} (main continued)" in card
    assert "from scratch (main scratch)" in card
    scores = [json.loads(line) for line in (root / "scored" / "scores.jsonl").read_text().splitlines()]
    assert {row["exam_id"] for row in scores} == {"e14", "e15", "e16", "e17"}
    assert {row["part"] for row in scores} == {"mass", "calcification", "asymmetry", "architectural_distortion"}
    boxes = [json.loads(line) for line in (root / "predicted" / "predictions.jsonl").read_text().splitlines()]
    assert all(0 <= box["x0"] < box["x1"] <= 120 and 0 <= box["y0"] < box["y1"] <= 160 for box in boxes)


@pytest.mark.parametrize(("method", "learned"), [("msdae_density", 12), ("dcse_resnet50", 8)])
def test_the_pool_counts_as_learned_from_where_a_stage_needs_no_labels(a_folder, method, learned):
    run = a_folder("run", method)
    document = json.loads((run / "request.json").read_text())
    document["compute"]["max_steps"], document["config"] = 1, {}
    (run / "request.json").write_text(json.dumps(document))
    assert ml(run) == Exit.FINISHED
    seen = json.loads((run / "model" / "spec.json").read_text())["trained_on"]
    assert (len(seen["train_patients"]), len(seen["val_patients"]), len(seen["test_patients"])) == (learned, 2, 4)
