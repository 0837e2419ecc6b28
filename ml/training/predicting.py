"""Predictions of a model over samples: batches of equal shape, calibrated, cancelled between batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.methods.spec import Aim, Inference, MethodSpec, Modules, Prediction
from ml.runs.cancel import StopRequest
from ml.training.batches import Item
from ml.training.checkpoints import Weights
from ml.training.data import Sample, SampleLoader, loaded
from ml.training.device import Machine, is_out_of_memory, no_memory


@dataclass(frozen=True)
class Predictor:
    """Networks that answer. prior_shift (C,) and temperature turn a classifier's logits into probabilities.

    halved(n) hears that memory ended and that n samples are asked about at once from now on.
    """

    method: MethodSpec
    config: Any
    aim: Aim
    modules: Modules
    machine: Machine
    prior_shift: tuple[float, ...] = ()
    temperature: float = 1.0
    batch: int = 8
    halved: Callable[[int], None] = lambda most: None

    def over(
        self, samples: Iterable[Sample], loader: SampleLoader, inference: Inference, stop: StopRequest | None = None
    ) -> Iterator[tuple[Sample, Item, Prediction]]:
        """Each sample with what was loaded for it and what is said of it, in order. Raises RunRefused (exit 4)."""
        for module in self.modules.values():
            module.eval()
        memory = Memory(self.batch if self.machine.cuda else 4)
        for group in _of_one_shape(loaded(samples, loader, self.machine.workers), memory.holds):
            if stop is not None:
                stop.check()
            said = self._said([item for _, item in group], loader, inference, memory)
            for (sample, item), prediction in zip(group, said, strict=True):
                yield sample, item, self.calibrated(prediction)

    def _said(
        self, items: list[Item], loader: SampleLoader, inference: Inference, memory: "Memory"
    ) -> list[Prediction]:
        """What is said of samples, so many at once as memory holds."""
        if len(items) <= memory.holds:
            said = self._tried(items, loader, inference)
            if said is not None:
                return said
            self.machine.free_memory()
            if len(items) == 1:
                raise no_memory("out of memory with one image at a time")
            memory.holds = len(items) // 2
            self.halved(memory.holds)
        parts = items[: memory.holds], items[memory.holds :]
        return [one for part in parts for one in self._said(part, loader, inference, memory)]

    def _tried(self, items: list[Item], loader: SampleLoader, inference: Inference) -> list[Prediction] | None:
        """None where memory ended."""
        try:
            batch = loader.collate(items, self.machine.device)
            with torch.inference_mode(), self.machine.autocast():
                return self.method.predict(self.modules, batch, self.config, inference)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def calibrated(self, prediction: Prediction) -> Prediction:
        """A classifier's probabilities at the prevalence of the training set, tempered, unless the method did that."""
        if prediction.logits is None or self.method.self_calibrated:
            return prediction
        shift = torch.tensor(self.prior_shift) if self.prior_shift else torch.zeros(len(prediction.logits))
        if prediction.samples is not None:
            logits = torch.log(prediction.samples.clamp(min=1e-12))
            samples = ((logits + shift) / self.temperature).softmax(-1)
            return replace(prediction, samples=samples, probabilities=samples.mean(0))
        return replace(prediction, probabilities=((prediction.logits + shift) / self.temperature).softmax(-1))


@dataclass
class Memory:
    """How many samples it `holds` at once, as far as is known."""

    holds: int


def _of_one_shape(items: Iterable[tuple[Sample, Item]], most: int) -> Iterator[list[tuple[Sample, Item]]]:
    """Runs of samples whose images have one shape, so that nothing is padded for the sake of a neighbour.

    Padding would enter the statistics of group norms: what is said of an image must not depend on its company.
    """
    group: list[tuple[Sample, Item]] = []
    for sample, item in items:
        if group and (len(group) == most or _shape(group[0][1]) != _shape(item)):
            yield group
            group = []
        group.append((sample, item))
    if group:
        yield group


def _shape(item: Item) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(x.shape) for x in item.x)


@contextmanager
def weights_in(network: nn.Module, weights: Weights) -> Iterator[nn.Module]:
    """The network with other weights for a while."""
    own = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        yield network
    finally:
        network.load_state_dict(own)


def stacked(vectors: Mapping[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Ids and (N, D) of vectors by id, in order of the ids."""
    ids = sorted(vectors)
    return ids, np.stack([vectors[name] for name in ids]) if ids else np.zeros((0, 0), dtype=np.float32)
