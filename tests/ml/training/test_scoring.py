"""What a model says of unread exams: parts per exam, the same masks in a pass, nothing lost on the way."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from ml.blocks.dropout import pass_masks
from ml.evaluation.undefined import NotAScore
from ml.methods.spec import Inference, Prediction
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.request import Compute
from ml.training.data import SampleLoader
from ml.training.device import machine_for
from ml.training.predicting import Predictor
from ml.training.samples import build_samples
from ml.training.scoring import PASSES, Speaker, write_embeddings, write_samples, write_scores


@pytest.fixture
def a_speaker(images, settle, tmp_path):
    def make(name, rows, **config):
        torch.manual_seed(0)
        method, settled, aim, reads, (stage,) = settle(name, **config)
        modules = {"main": stage.build().eval()}
        predictor = Predictor(method, settled, aim, modules, machine_for(Compute(device="cpu")))
        samples, _ = build_samples(rows, reads, aim, images)
        return Speaker(predictor, "v1", tmp_path, seed=3), SampleLoader(images, reads, aim, settled), samples

    return make


def pool(a_row, exams=3):
    return [
        a_row(2 * e + n, split="pool", exam_id=f"e{e}", patient_id=f"p{e}", laterality=side, complete=False)
        for e in range(exams)
        for n, side in enumerate("RL")
    ]


def test_every_exam_has_a_density_part_from_the_mean_of_its_images(a_speaker, a_row, tmp_path):
    speaker, loader, samples = a_speaker("dcse_resnet50", pool(a_row), views="single")
    said = speaker.over(samples, loader, uncertain=True, stop=None)
    assert write_scores(tmp_path / "scores.jsonl", said) == 3
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert {(row["exam_id"], row["part"], row["kind"]) for row in rows} == {
        (f"e{n}", "density", "mutual_information") for n in range(3)
    }
    assert all(row["value"] > 0 and len(row["images"]) == 2 for row in rows)
    exam = [row for row in said.rows if row["level"] == "exam" and row["exam_id"] == "e0"]
    assert sum(row["prob"] for row in exam) == pytest.approx(1)
    assert exam[0]["mutual_information"] == pytest.approx(rows[0]["value"], rel=1e-5)


def test_every_exam_has_a_part_for_each_finding_even_where_no_score_is_high(a_speaker, a_row, tmp_path):
    speaker, loader, samples = a_speaker("retinanet_mass", pool(a_row, 2))
    said = speaker.over(samples, loader, uncertain=True, stop=None)
    assert write_scores(tmp_path / "scores.jsonl", said) == 2 * 4
    write_samples(tmp_path / "samples.safetensors", said, speaker.predictor.aim.labels)
    with safe_open(tmp_path / "samples.safetensors", "pt") as file:
        assert file.get_tensor("samples").shape == (PASSES, 4, 4, 20)
        assert json.loads(file.metadata()["ids"]) == ["i0", "i1", "i2", "i3"]
    boxes = [row for row in said.rows if row["kind"] == "box"]
    assert boxes
    assert all(0 <= row["x0"] < row["x1"] <= 64 and row["mutual_information"] >= 0 for row in boxes)
    write_embeddings(tmp_path / "embeddings.safetensors", said)
    with safe_open(tmp_path / "embeddings.safetensors", "pt") as file:
        assert file.get_tensor("embeddings").shape == (4, 32)


@pytest.mark.parametrize("name", ["retinanet_mass", "detr_lesion", "dcse_resnet50"])
@pytest.mark.parametrize("uncertain", [False, True])
def test_a_network_that_says_nan_is_refused_and_not_taken_for_one_that_finds_nothing(a_speaker, a_row, name, uncertain):
    speaker, loader, samples = a_speaker(name, pool(a_row, 1))
    for parameter in speaker.predictor.modules["main"].parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(NotAScore):
        speaker.over(samples, loader, uncertain=uncertain, stop=None)


def test_an_answer_with_a_box_that_is_no_number_is_refused(a_speaker, a_row, monkeypatch):
    speaker, loader, samples = a_speaker("retinanet_mass", pool(a_row, 1))
    nan = float("nan")
    said = Prediction(boxes=torch.tensor([[1.0, 1, nan, 9]]), scores=torch.tensor([0.9]), labels=torch.tensor([0]))
    monkeypatch.setattr(Predictor, "over", lambda self, *_: [(samples[0], loader.item(samples[0]), said)])
    with pytest.raises(NotAScore):
        speaker.over(samples, loader, uncertain=False, stop=None)


def test_scoring_twice_gives_the_same_scores(a_speaker, a_row):
    speaker, loader, samples = a_speaker("dcse_resnet50", pool(a_row), views="single")
    first = speaker.over(samples, loader, uncertain=True, stop=None)
    alone = speaker.over(samples[:1], loader, uncertain=True, stop=None)
    again = speaker.over(samples, loader, uncertain=True, stop=None)
    assert first.rows == again.rows
    np.testing.assert_allclose(first.samples["i0"], alone.samples["i0"], atol=1e-5)


def test_without_dropout_the_kind_is_entropy(a_speaker, a_row, tmp_path):
    speaker, loader, samples = a_speaker("dcse_resnet50", pool(a_row, 1), views="single", dropout=0.0)
    said = speaker.over(samples, loader, uncertain=True, stop=None)
    write_scores(tmp_path / "scores.jsonl", said)
    assert json.loads((tmp_path / "scores.jsonl").read_text())["kind"] == "entropy"
    assert pass_masks(speaker.predictor.modules["main"], 2, 0)["dropout"].unique().tolist() == [1.0]


def test_an_empty_pool_gives_an_empty_list_and_no_error(a_speaker, tmp_path):
    speaker, loader, _ = a_speaker("dcse_resnet50", [], views="single")
    said = speaker.over([], loader, uncertain=True, stop=None)
    assert write_scores(tmp_path / "scores.jsonl", said) == 0
    assert (tmp_path / "scores.jsonl").read_bytes() == b""


def test_the_prior_and_the_temperature_change_probabilities_in_every_pass():
    logits = torch.tensor([1.0, 0.0, 0.0, 0.0])
    shift = (0.0, 2.0, 0.0, 0.0)
    predictor = Predictor(
        SimpleNamespace(self_calibrated=False), None, None, {}, None, prior_shift=shift, temperature=2.0
    )
    said = predictor.calibrated(Prediction(logits=logits, samples=torch.stack([logits.softmax(0)] * 3)))
    expected = ((logits + torch.tensor(shift)) / 2).softmax(0)
    torch.testing.assert_close(said.probabilities, expected)
    torch.testing.assert_close(said.samples[2], expected)


def with_small_memory(predictor, holds):
    """The predictor on a machine that holds so many samples at once, and what it tells of that."""
    predict, told = predictor.method.predict, []

    def small(modules, batch, config, inference):
        if len(batch.ids) > holds:
            torch.empty(2**46)  # a quarter of a petabyte: PyTorch's own allocator refuses
        return predict(modules, batch, config, inference)

    return replace(predictor, method=replace(predictor.method, predict=small), halved=told.append), told


def test_predictions_take_fewer_samples_at_once_where_memory_ends_and_say_the_same(a_speaker, a_row):
    speaker, loader, samples = a_speaker("dcse_resnet50", pool(a_row), views="single")
    assert len(samples) == 6  # four at once, then two
    inference = Inference(aim=speaker.predictor.aim)
    small, told = with_small_memory(speaker.predictor, 1)
    whole, parts = (list(one.over(samples, loader, inference)) for one in (speaker.predictor, small))
    assert told == [2, 1]
    assert [sample.id for sample, _, _ in parts] == [sample.id for sample in samples]
    for (_, _, one), (_, _, other) in zip(whole, parts, strict=True):
        torch.testing.assert_close(one.probabilities, other.probabilities)


def test_a_machine_that_holds_not_one_sample_ends_the_run_with_its_exit_code(a_speaker, a_row):
    speaker, loader, samples = a_speaker("dcse_resnet50", pool(a_row), views="single")
    nothing, _ = with_small_memory(speaker.predictor, 0)
    with pytest.raises(RunRefused) as error:
        list(nothing.over(samples, loader, Inference(aim=nothing.aim)))
    assert error.value.exit is Exit.OUT_OF_MEMORY
