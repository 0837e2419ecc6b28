"""Whole runs that begin with a weights file."""

import hashlib
import json
import shutil

import torch
from safetensors.torch import save_file

from ml.blocks.backbones import backbone
from ml.runs.exits import Exit
from ml.runs.folder import RunFolder
from ml.runs.request import Init
from ml.training.run import run as run_folder
from tests.ml.training.whole.folders import events_of, ml


def test_a_run_that_starts_from_a_weights_file_accounts_for_its_keys_in_the_environment(a_folder):
    terms = {"licence": "research only", "origin": "a shelf"}
    run = a_folder("transfer", init=Init(kind="weights_file", path="init/weights.safetensors", **terms))
    (run / "init").mkdir()
    torch.manual_seed(0)
    save_file(
        backbone("tiny_resnet_bottleneck", in_channels=3, classes=9).state_dict(), run / "init/weights.safetensors"
    )
    assert run_folder(run, command="train") == Exit.FINISHED
    report = json.loads(RunFolder(run).environment.read_text())["stages"]["main"]
    assert (report["init"], report["layout"], report["share"]) == ("weights_file", "torchvision", 1.0)
    assert (report["missing"], report["unexpected"], report["dropped"]) == ([], [], ["fc.bias", "fc.weight"])
    assert report["sha256"] == hashlib.sha256((run / "init/weights.safetensors").read_bytes()).hexdigest()
    began = json.loads((run / "model" / "card.json").read_text())["init"]
    assert began == {"kind": "weights_file", "sha256": report["sha256"], **terms, "version": None,
                     "stages": {"main": "weights_file"}}  # fmt: skip
    assert "licence: research only; origin: a shelf" in (run / "model" / "card.md").read_text()
    assert not [event for event in events_of(run) if event.get("code") == "weights_without_record"]
    (told,) = [event for event in events_of(run) if event["type"] == "weights_loaded"]
    assert (told["stage"], told["share"], told["dropped"]) == ("main", 1.0, report["dropped"])


def test_weights_of_a_model_of_ours_without_its_folder_are_used_with_a_warning(a_folder):
    first = a_folder("first", steps=1)
    assert ml(first) == Exit.FINISHED
    run = a_folder("bare", init=Init(kind="weights_file", path="init/weights.safetensors"), steps=1)
    (run / "init").mkdir()
    shutil.copy(first / "model" / "weights.safetensors", run / "init" / "weights.safetensors")
    assert ml(run) == Exit.FINISHED
    assert [event["code"] for event in events_of(run) if event["type"] == "warning"].count(
        "weights_without_record"
    ) == 1


def test_a_weights_file_of_another_network_ends_the_run_before_it_learns(a_folder):
    run = a_folder("misfit", init=Init(kind="weights_file", path="init/weights.safetensors"))
    (run / "init").mkdir()
    save_file(backbone("tiny_vgg16", classes=9).state_dict(), run / "init/weights.safetensors")
    assert run_folder(run, command="train") == Exit.INVALID_REQUEST
    assert events_of(run)[-1]["code"] == "init_mismatch"
