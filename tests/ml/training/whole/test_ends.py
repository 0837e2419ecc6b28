"""How whole runs end: killed and resumed, cancelled, told to end, finished. Children where a process must die."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.runs.exits import Exit
from ml.runs.folder import RunFolder
from ml.runs.result import read_result
from tests.ml.training.whole.folders import events_of, ml, same, start, wait_for, weights_of

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_a_run_that_was_killed_resumes_to_the_same_weights_bit_for_bit(a_folder, device):
    straight, killed = (a_folder(name, steps=12, device=device) for name in ("straight", "killed"))
    assert ml(straight) == Exit.FINISHED
    child = start(killed)
    wait_for(killed, "checkpoint", child, count=2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert read_result(killed) is None
    with (killed / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"seq":99,"type":"torn')  # as a full disk or a power cut leaves it
    assert ml(killed) == Exit.FINISHED
    assert same(weights_of(straight), weights_of(killed))
    seen = events_of(killed)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    again = [event for event in seen if event["type"] == "started"]
    assert [event["attempt"] for event in again] == [1, 2]
    assert again[1]["resumed_from"]["stage"] == "main"


def of_unknown_spacing(rows):
    return [replace(row, spacing_mm=None) if row.image_id == "i3" else row for row in rows]


def test_a_finished_run_holds_all_that_a_caller_imports_and_is_not_computed_again(a_folder):
    run = a_folder("run", change=of_unknown_spacing)
    assert ml(run) == Exit.FINISHED
    result = read_result(run)
    assert result is not None
    assert {"model/weights.safetensors", "model/spec.json", "metrics.json", "predictions.jsonl"} <= set(result.files)
    metrics = json.loads((run / "metrics.json").read_text())
    assert {(row["split"], row["target"]) for row in metrics["metrics"]} == {("val", "density"), ("test", "density")}
    predictions = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert {row["split"] for row in predictions} == {"val", "test"}
    assert {row["level"] for row in predictions} == {"image", "exam"}
    environment = json.loads((run / "environment.json").read_text())
    assert environment["code_version"]
    assert environment["stages"]["main"]["init"] == "scratch"
    assert environment["undetermined_operations"] == []
    assert environment["cost"]["seconds"] > 0 and environment["cost"]["attempts"] == 1
    assert environment["peak_ram_mb"] > 50  # torch alone
    kept = json.loads((run / "model" / "card.json").read_text())
    assert kept["weights_sha256"] == result.files["model/weights.safetensors"]
    assert kept["known_failures"] == environment["flagged"]
    assert kept["known_failures"]["spacing_assumed"] == {"images": 1, "of": 18, "share": 0.0556}
    assert environment["warnings"]["spacing_assumed"] == 1 and kept["stages"]["main"]["steps"] > 0
    card = (run / "model" / "card.md").read_text()
    assert "research" in card and "On test patients, whom the model never saw." in card
    assert events_of(run)[-1]["headline_split"] == "test"
    before = len(events_of(run))
    assert ml(run) == Exit.FINISHED
    assert len(events_of(run)) == before


def test_a_cancel_file_ends_a_run_with_a_checkpoint_and_it_can_go_on(a_folder):
    run = a_folder("run", steps=4000)
    child = start(run)
    wait_for(run, "checkpoint", child)
    RunFolder(run).ask_to_cancel("no longer wanted")
    assert child.wait(timeout=60) == Exit.CANCELLED
    last = events_of(run)[-1]
    assert (last["type"], last["reason"], last["resumable"]) == ("cancelled", "no longer wanted", True)
    assert (run / "checkpoints" / "main" / "last" / "checkpoint.json").exists()


@pytest.mark.parametrize("how", ["sigterm", "supervisor gone"])
def test_a_run_that_is_told_to_end_leaves_a_checkpoint(a_folder, how):
    run = a_folder("run", steps=4000)
    child = start(run, "train", *(["--supervised"] if how == "supervisor gone" else []))
    wait_for(run, "stage_started", child)
    if how == "sigterm":
        child.send_signal(signal.SIGTERM)
    else:
        child.stdin.close()
    assert child.wait(timeout=60) == Exit.CANCELLED
    assert events_of(run)[-1]["reason"] == ("SIGTERM" if how == "sigterm" else "supervisor_gone")


def test_half_precision_on_a_cpu_learns_and_stays_finite(a_folder):
    run = a_folder("half")
    request = json.loads((run / "request.json").read_text())
    request["compute"]["precision"] = "bf16"
    (run / "request.json").write_text(json.dumps(request))
    assert ml(run) == Exit.FINISHED
    assert json.loads((run / "environment.json").read_text())["precision"] == "bf16"
    assert all(np.isfinite(value).all() and value.dtype != np.float16 for value in weights_of(run).values())
