"""`score`: what a model says of unread exams, and how much its passes disagree.

Every pass uses one set of dropout masks for all images, so a pass is one model of all of them.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from ml.acquisition.aggregate import CANDIDATES, exam_parts
from ml.blocks.dropout import HeldDropout, pass_masks
from ml.methods.answering import require_numbers
from ml.methods.spec import Inference, Prediction
from ml.runs import atomic
from ml.runs.cancel import StopRequest
from ml.training.answers import ANSWERS, MAX_BOXES, MIN_SCORE, Said, Writing
from ml.training.data import Sample, SampleLoader
from ml.training.predicting import Predictor

PASSES = 20


@dataclass(frozen=True)
class Speaker:
    """A predictor with the name that its answers are written under."""

    predictor: Predictor
    version: str
    folder: Path
    seed: int = 0

    def inference(self, *, uncertain: bool) -> Inference:
        """T passes with held masks and the best candidates at any score, or one plain pass."""
        aim = self.predictor.aim
        if not uncertain:
            return Inference(aim=aim, min_score=MIN_SCORE, max_boxes=MAX_BOXES)
        masks = {name: pass_masks(module, PASSES, self.seed) for name, module in self.predictor.modules.items()}
        layers = [layer for module in self.predictor.modules.values() for layer in module.modules()]
        drops = any(isinstance(layer, HeldDropout) and layer.p > 0 for layer in layers)
        if self.predictor.method.unsure_by == "entropy" or (self.predictor.method.unsure_by == "dropout" and not drops):
            return Inference(aim=aim, min_score=0.0, per_finding=CANDIDATES)
        return Inference(aim=aim, passes=PASSES, masks=masks, min_score=0.0, per_finding=CANDIDATES)

    def over(
        self, samples: Iterable[Sample], loader: SampleLoader, *, uncertain: bool, stop: StopRequest | None,
        told: Any = None,
    ) -> Said:  # fmt: skip
        """Predict all samples; `told(n)` after each. Raises NotAScore where what is said is no number."""
        said = Said()
        how = Writing(self.predictor.aim, self.version, uncertain, self.folder)
        answer, close = ANSWERS[self.predictor.aim.task]
        answers = self.predictor.over(samples, loader, self.inference(uncertain=uncertain), stop)
        for n, (sample, item, prediction) in enumerate(answers, 1):
            if prediction.embedding is not None:
                said.embeddings[sample.id] = prediction.embedding.numpy().astype(np.float32)
            _require_numbers(prediction)
            answer(said, how, sample, item, prediction)
            if told is not None:
                told(n)
        close(said, how)
        return said


def _require_numbers(said: Prediction) -> None:
    values = torch.tensor(list(said.values.values()))
    require_numbers(said.probabilities, said.boxes, said.scores, said.samples, said.mask, said.mask_samples, values)


def write_scores(path: Path, said: Said) -> int:
    """scores.jsonl: one row per exam and part."""
    rows = exam_parts(said.passes)
    atomic.write_lines(path, rows)
    return len(rows)


def write_samples(path: Path, said: Said, labels: tuple[str, ...]) -> None:
    """samples.safetensors: `samples` (T, N, F, C) float32; C classes, or the candidates of a finding padded with 0."""
    ids = sorted(said.samples)
    if ids:
        stacked = torch.from_numpy(np.stack([said.samples[name] for name in ids], 1).astype(np.float32))
        _write(path, {"samples": stacked.contiguous()}, ids, labels)


def write_embeddings(path: Path, said: Said) -> None:
    """embeddings.safetensors: `embeddings` (N, D) float32, raw."""
    ids = sorted(said.embeddings)
    if ids:
        _write(path, {"embeddings": torch.from_numpy(np.stack([said.embeddings[name] for name in ids]))}, ids, ())


def _write(path: Path, tensors: dict[str, torch.Tensor], ids: list[str], labels: tuple[str, ...]) -> None:
    temporary = path.with_name(f".{path.name}.tmp-0")
    save_file(tensors, temporary, metadata={"ids": json.dumps(ids), "labels": json.dumps(labels)})
    temporary.replace(path)
