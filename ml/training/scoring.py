"""`score`: what a model says of unread exams, and how much its passes disagree.

Every pass uses one set of dropout masks for all images, so a pass is one model of all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from ml.acquisition.aggregate import CANDIDATES, ImagePasses, exam_parts
from ml.blocks.dropout import pass_masks
from ml.methods.spec import Inference, Prediction
from ml.runs import atomic
from ml.runs.cancel import StopRequest
from ml.training.batches import Item
from ml.training.data import ImageLoader, Sample
from ml.training.predicting import Predictor
from ml.training.prediction_rows import Row, box_rows, class_rows, exam_rows

PASSES = 20
MIN_SCORE, MAX_BOXES = 0.01, 100


@dataclass
class Said:
    """What was gathered over samples: prediction rows, passes per sample, embeddings."""

    rows: list[Row] = field(default_factory=list)
    passes: list[ImagePasses] = field(default_factory=list)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    embeddings: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Speaker:
    """A predictor with the names that its answers are written under."""

    predictor: Predictor
    labels: tuple[str, ...]
    task: str
    version: str
    seed: int = 0

    def inference(self, *, uncertain: bool) -> Inference:
        """T passes with held masks and the best candidates at any score, or one plain pass."""
        if not uncertain:
            return Inference(min_score=MIN_SCORE, max_boxes=MAX_BOXES)
        masks = pass_masks(self.predictor.network, PASSES, self.seed)
        if not any(module.p > 0 for module in _dropouts(self.predictor.network)):
            return Inference(min_score=0.0, per_finding=CANDIDATES)
        return Inference(passes=PASSES, masks=masks, min_score=0.0, per_finding=CANDIDATES)

    def over(
        self, samples: Iterable[Sample], loader: ImageLoader, *, uncertain: bool, stop: StopRequest | None,
        told: Any = None,
    ) -> Said:  # fmt: skip
        """Predict all samples; `told(n)` after each."""
        said = Said()
        exams: dict[str, list[tuple[Any, np.ndarray, np.ndarray | None]]] = {}
        answers = self.predictor.over(samples, loader, self.inference(uncertain=uncertain), stop)
        for n, (sample, item, prediction) in enumerate(answers, 1):
            if prediction.embedding is not None:
                said.embeddings[sample.id] = prediction.embedding.numpy().astype(np.float32)
            if self.task == "density":
                self._density(said, exams, sample, prediction)
            else:
                self._lesions(said, sample, item, prediction, uncertain)
            if told is not None:
                told(n)
        for members in exams.values():
            said.rows += exam_rows(members, self.version)
        return said

    def _density(self, said: Said, exams: dict[str, Any], sample: Sample, prediction: Prediction) -> None:
        assert prediction.probabilities is not None
        mean = prediction.probabilities.numpy().astype(np.float64)
        samples = None if prediction.samples is None else prediction.samples.numpy().astype(np.float64)
        exams.setdefault(sample.row.exam_id, []).append((sample.row, mean, samples))
        if len(sample.rows) == 1:
            said.rows += class_rows(sample.row, "image", mean, samples, self.version)
        passes = mean[None] if samples is None else samples
        said.passes.append(ImagePasses(sample.row.exam_id, sample.id, density=passes))
        said.samples[sample.id] = passes[:, None]

    def _lesions(self, said: Said, sample: Sample, item: Item, prediction: Prediction, uncertain: bool) -> None:
        rows = box_rows(sample.row, prediction, item.affines[0], self.labels, self.version)
        said.rows += [row for row in rows if row["score"] >= MIN_SCORE][:MAX_BOXES]
        if not uncertain:
            return
        assert prediction.scores is not None and prediction.labels is not None
        scores = prediction.scores.numpy().astype(np.float64)
        samples = scores[None] if prediction.samples is None else prediction.samples.numpy().astype(np.float64)
        classes = prediction.labels.numpy()
        own = {label: samples[:, classes == k] for k, label in enumerate(self.labels)}
        said.passes.append(ImagePasses(sample.row.exam_id, sample.id, lesions=own))
        padded = np.zeros((len(samples), len(self.labels), CANDIDATES))
        for k, label in enumerate(self.labels):
            padded[:, k, : own[label].shape[1]] = own[label][:, :CANDIDATES]
        said.samples[sample.id] = padded


def _dropouts(network: torch.nn.Module) -> list[Any]:
    from ml.blocks.dropout import HeldDropout

    return [module for module in network.modules() if isinstance(module, HeldDropout)]


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
    import json

    temporary = path.with_name(f".{path.name}.tmp-0")
    save_file(tensors, temporary, metadata={"ids": json.dumps(ids), "labels": json.dumps(labels)})
    temporary.replace(path)
