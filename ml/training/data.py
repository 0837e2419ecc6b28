"""Samples of a run and how they are loaded: prepared pixels, variation, targets."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch, MethodSpec
from ml.runs.manifest import ManifestRow
from ml.training.batches import Item, collate
from ml.training.device import Machine
from ml.training.sampling import SampleOrder, key_seed
from ml.training.targets import sampling_group, targets_for


class Picture(Protocol):
    """A prepared image: x (H, W) float32 in [0, 1], mask (H, W), affine (3, 3) source to prepared pixels."""

    @property
    def x(self) -> np.ndarray: ...

    @property
    def mask(self) -> np.ndarray: ...

    @property
    def affine(self) -> np.ndarray: ...


class Images(Protocol):
    """Where prepared images come from, and how they are varied."""

    def prepared(self, row: ManifestRow) -> Picture:
        """The prepared image of a row."""

    def varied(self, picture: Picture, row: ManifestRow, seed: int) -> Picture:
        """The image augmented as `seed` says, its affine moved along."""


@dataclass(frozen=True)
class Sample:
    """What the network sees at once: one row per slot; `present` False where a slot holds a stand-in."""

    id: str
    rows: tuple[ManifestRow, ...]
    present: tuple[bool, ...]

    @property
    def row(self) -> ManifestRow:
        """The row that names the sample's exam, patient and split."""
        return self.rows[0]

    @property
    def split(self) -> str:
        return self.row.split


@dataclass(frozen=True)
class ImageLoader:
    """Loads one sample; without a seed as it is, with one varied by it."""

    images: Images
    method: MethodSpec
    config: Any
    labels: tuple[str, ...]

    def item(self, sample: Sample, seed: int | None = None) -> Item:
        """x (1, H, W) per slot, with targets in its pixels."""
        pictures = [self.images.prepared(row) for row in sample.rows]
        if seed is not None:
            pictures = [
                self.images.varied(picture, row, key_seed(seed, slot))
                for slot, (picture, row) in enumerate(zip(pictures, sample.rows, strict=True))
            ]
        x = [torch.from_numpy(np.ascontiguousarray(picture.x, dtype=np.float32))[None] for picture in pictures]
        affines = tuple(np.asarray(picture.affine, dtype=np.float64) for picture in pictures)
        sizes = [(own.shape[-2], own.shape[-1]) for own in x]
        targets: Mapping[str, Tensor] = targets_for(self.method.task, sample.rows, affines, sizes, self.labels)
        if seed is not None and self.method.train_view is not None:
            generator = torch.Generator().manual_seed(key_seed(seed, "view"))
            x[0], targets = self.method.train_view(x[0], targets, self.config, generator)
        return Item(sample.id, tuple(x), sample.present, affines, targets)


class TrainLoader:
    """Batches of the endless training order: a function of seed and position, whatever was loaded before."""

    def __init__(
        self, samples: Sequence[Sample], loader: ImageLoader, sampler: str, seed: int, machine: Machine, workers: int
    ) -> None:
        groups = [sampling_group(loader.method.task, sample.rows, loader.labels) for sample in samples]
        used = [(sample, group) for sample, group in zip(samples, groups, strict=True) if group is not None]
        self.samples = [sample for sample, _ in used]
        self.order = SampleOrder(sampler, [group for _, group in used], key_seed(seed, "order"))
        self.loader, self.seed, self.machine = loader, seed, machine
        self.n = len(self.samples)
        self._pool = ThreadPoolExecutor(workers) if workers else None
        self._ahead: deque[tuple[int, Future[Item]]] = deque()
        self._lookahead = 0

    def batch(self, first: int, count: int) -> Batch:
        """The samples at positions first..first+count-1."""
        items = self._pooled(first, count) if self._pool else [self.at(first + n) for n in range(count)]
        return collate(items, self.machine.device)

    def at(self, position: int) -> Item:
        """The varied sample at a position of the order."""
        index, epoch, place = self.order.at(position)
        sample = self.samples[index]
        return self.loader.item(sample, key_seed(self.seed, epoch, place, sample.id))

    def _pooled(self, first: int, count: int) -> list[Item]:
        """The same items, loaded ahead by threads; a jump (a resume, a retry) starts the queue anew."""
        assert self._pool is not None
        self._lookahead = max(self._lookahead, 3 * count)
        if not self._ahead or self._ahead[0][0] != first:
            self._ahead.clear()
        start = self._ahead[-1][0] + 1 if self._ahead else first
        for position in range(start, first + self._lookahead):
            self._ahead.append((position, self._pool.submit(self.at, position)))
        return [self._ahead.popleft()[1].result() for _ in range(count)]

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)


def of_splits(samples: Iterable[Sample], *splits: str) -> list[Sample]:
    """The samples of some splits."""
    return [sample for sample in samples if sample.split in splits]
