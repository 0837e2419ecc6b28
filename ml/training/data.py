"""Samples of a stage and how they are loaded: prepared pixels, variation, targets."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Aim, Batch, Part, Reads, Sight
from ml.pixels.augment import Variation, placed
from ml.pixels.features import FeatureCache
from ml.pixels.prepare import Prepared
from ml.pixels.rois import Roi, cut, roi_matrix
from ml.runs.manifest import ManifestRow, Mark
from ml.training.batch_ahead import BatchAhead, Span
from ml.training.batches import PAD_TO, Item, Undone, collate
from ml.training.device import Machine
from ml.training.each_ahead import each_ahead
from ml.training.parts import Foreseen, Varied, taken
from ml.training.sampling import SampleOrder, key_seed
from ml.training.targets import group_of, targets_for
from ml.training.targets.shown import Shown
from ml.training.varying import Late


class Images(Protocol):
    """Where prepared images come from, and how they are varied."""

    @property
    def features(self) -> FeatureCache | None:
        """Where what frozen networks say of them may be kept."""

    def known_as(self, row: ManifestRow, seed: int | None) -> str | None:
        """What the prepared image of a row is known by in every run; None where the seed varies it."""

    def prepared(self, row: ManifestRow) -> Prepared:
        """The prepared image of a row."""

    def around(self, row: ManifestRow, box: Sequence[float], size_px: int) -> Prepared:
        """What any turn of a region of the image may read, smoothed for a square of that side."""

    def varied(self, picture: Prepared, row: ManifestRow, seed: int) -> Prepared:
        """The image augmented as `seed` says, its affine moved along."""

    def variation(self, picture: Prepared, row: ManifestRow, seed: int) -> Variation | None:
        """What `varied` would do; None where that is nothing."""

    def toned(self, picture: Prepared, seed: int) -> Prepared:
        """The image with its grey values varied and its geometry as it is."""

    def turn(self, seed: int) -> tuple[float, bool]:
        """The rotation in degrees and the mirroring that `seed` draws for a region."""

    def mask_of(self, row: ManifestRow, mark: Mark) -> np.ndarray:
        """The stored mask (rows, cols) uint8 of a mark of kind mask or label_map."""


@dataclass(frozen=True)
class Sample:
    """What the network sees at once: one row per slot; `present` False where a slot holds a stand-in."""

    id: str
    rows: tuple[ManifestRow, ...]
    present: tuple[bool, ...]
    roi: Roi | None = None

    @property
    def row(self) -> ManifestRow:
        """The row that names the sample's exam, patient and split."""
        return self.rows[0]

    @property
    def split(self) -> str:
        return self.row.split


@dataclass(frozen=True)
class Recalled:
    """What an earlier stage kept of samples: tensors (N, ...) by name, and the row of each sample by its id."""

    tensors: Mapping[str, Tensor]
    rows: Mapping[str, int]

    def of(self, sample: Sample) -> dict[str, Tensor]:
        """A sample's rows; zeros where nothing was kept of it."""
        row = self.rows.get(sample.id)
        return {name: torch.zeros_like(own[0]) if row is None else own[row] for name, own in self.tensors.items()}


@dataclass(frozen=True)
class SampleLoader:
    """Loads one sample as a stage reads it; without a seed as it is, with one varied by it.

    `recalled`, where a stage has it, is added to the targets as it is, varied or not. `defers`: whole images are
    varied where the batch is put together, which is faster on a GPU.
    """

    images: Images
    reads: Reads
    aim: Aim
    config: Any
    recalled: Recalled | None = None
    defers: bool = False

    @property
    def pad_to(self) -> int:
        """Images of a size that the method asked for are not padded."""
        return 1 if self.reads.pixels.get("size") or self.reads.roi else PAD_TO

    def group(self, sample: Sample) -> int | None:
        """What the sample counts as when samples are drawn; None = it teaches nothing."""
        return group_of(self.reads.targets, Shown(sample.rows, self.aim, self.images.mask_of, sample.roi))

    def item(self, sample: Sample, seed: int | None = None) -> Item:
        """x (1, H, W) per slot, with targets in its pixels."""
        shown = [self._picture(sample, slot, seed) for slot in range(len(sample.rows))]
        pictures = [picture for picture, _ in shown]
        affines = tuple(np.asarray(picture.affine, dtype=np.float64) for picture in pictures)
        sizes = [(picture.x.shape[0], picture.x.shape[1]) for picture in pictures]
        seen = Shown(sample.rows, self.aim, self.images.mask_of, sample.roi, affines, sizes)
        targets: Mapping[str, Tensor] = targets_for(self.reads.targets, seen)
        if self.recalled is not None:
            targets = {**targets, **self.recalled.of(sample)}
        undone, part = self._undone([(picture, own) for picture, own in shown if own is not None], targets, seed)
        if undone is not None:
            pictures = [
                replace(picture, x=own.cut(picture.x), mask=own.cut(picture.mask))
                for picture, own in zip(pictures, undone.late, strict=True)
            ]
        x = [torch.from_numpy(np.ascontiguousarray(picture.x, dtype=np.float32))[None] for picture in pictures]
        breast = tuple(torch.from_numpy(np.ascontiguousarray(picture.mask))[None] for picture in pictures)
        if undone is None and (part := self._part(Varied(x[0]), targets, seed)) is not None:
            x[0] = taken(part, x[0])
            breast = (x[0] > 0, *breast[1:])
        if undone is not None and torch.cuda.is_available():
            # Pinned by the threads that load, so that the copy to the GPU waits for nobody.
            x, breast = [own.pin_memory() for own in x], tuple(own.pin_memory() for own in breast)
        return Item(
            sample.id, tuple(x), sample.present, affines, targets if part is None else part.targets, breast,
            tuple(float(picture.mm_per_px) for picture in pictures), sample.row.patient_id, undone,
            self._keys(sample, seed),
        )  # fmt: skip

    def _keys(self, sample: Sample, seed: int | None) -> tuple[str | None, ...]:
        """What each slot's picture is known by in every run, if it is a whole image as it was prepared."""
        if sample.roi is not None or (seed is not None and self.reads.view is not None):
            return (None,) * len(sample.rows)
        return tuple(self.images.known_as(row, seed) for row in sample.rows)

    def _undone(
        self, varied: Sequence[tuple[Prepared, Variation]], targets: Mapping[str, Tensor], seed: int | None
    ) -> tuple[Undone | None, Part | None]:
        """What is left to do of slots whose variation is deferred; the part of the first that will be seen."""
        if not varied:
            return None, None
        part = self._part(Foreseen(*varied[0]), targets, seed)
        windows = [None if part is None else part.window, *[None] * (len(varied) - 1)]
        late = tuple(Late.of(*own, window) for own, window in zip(varied, windows, strict=True))
        return Undone(late, part), part

    def _part(self, seen: Sight, targets: Mapping[str, Tensor], seed: int | None) -> Part | None:
        """What a method takes of the first slot, as the seed says; None = all of it."""
        if seed is None or self.reads.view is None:
            return None
        return self.reads.view(seen, targets, self.config, torch.Generator().manual_seed(key_seed(seed, "view")))

    def _picture(self, sample: Sample, slot: int, seed: int | None) -> tuple[Prepared, Variation | None]:
        """A slot's picture, and the variation that is left to do."""
        row = sample.rows[slot]
        own = None if seed is None else key_seed(seed, slot)
        if sample.roi is not None:
            return self._region(sample.roi, row, own), None
        picture = self.images.prepared(row)
        if own is None:
            return picture, None
        if not self.defers:
            return self.images.varied(picture, row, own), None
        variation = self.images.variation(picture, row, own)
        if variation is None:
            return picture, None
        return placed(picture, variation), variation

    def _region(self, roi: Roi, row: ManifestRow, own: int | None) -> Prepared:
        turn, mirror = (0.0, False) if own is None else self.images.turn(own)
        size, box = int(self.reads.roi["size_px"]), roi.box
        matrix = roi_matrix(box, self.images.prepared(row).affine, size, turn_degrees=turn, flip=mirror)
        region = cut(self.images.around(row, box, size), matrix, size)
        return region if own is None else self.images.toned(region, own)

    def collate(self, items: Sequence[Item], device: torch.device) -> Batch:
        """A batch of loaded samples."""
        return collate(items, device, pad_to=self.pad_to, features=self.images.features)


class TrainLoader:
    """Batches of the endless training order: a function of seed and position, whatever was loaded before."""

    def __init__(
        self, samples: Sequence[Sample], loader: SampleLoader, sampler: str, seed: int, machine: Machine,
        mixed: "Mixed | None" = None,
    ) -> None:  # fmt: skip
        groups = [loader.group(sample) for sample in samples]
        used = [(sample, group) for sample, group in zip(samples, groups, strict=True) if group is not None]
        self.samples = [sample for sample, _ in used]
        self.mixed = mixed
        labels = [group for _, group in used] + (mixed.labels if mixed else [])
        self.order = SampleOrder(sampler, labels, key_seed(seed, "order"))
        self.loader, self.seed, self.machine = loader, seed, machine
        self.n = len(labels)
        self._pool = ThreadPoolExecutor(machine.workers) if machine.workers else None
        self._batches = BatchAhead(self._assembled, machine.device) if self._pool and machine.cuda else None
        self._ahead: deque[tuple[int, Future[Item]]] = deque()
        self._lookahead = 0
        #: (batch, first, number): of each batch these positions are asked for; None = all.
        self.part: tuple[int, int, int] | None = None

    def batch(self, first: int, count: int, then: Span | None = None) -> Batch:
        """The samples at positions first..first+count-1; `then` is what will be asked for next."""
        if self._batches is not None:
            return self._batches.batch((first, count), then)
        return self._assembled(first, count)

    def _assembled(self, first: int, count: int) -> Batch:
        items = self._pooled(first, count) if self._pool else [self.at(first + n) for n in range(count)]
        return self.loader.collate(items, self.machine.device)

    def at(self, position: int) -> Item:
        """The varied sample at a position of the order."""
        index, epoch, place = self.order.at(position)
        if index >= len(self.samples):
            assert self.mixed is not None
            return self.mixed.item(index - len(self.samples))
        sample = self.samples[index]
        return self.loader.item(sample, key_seed(self.seed, epoch, place, sample.id))

    def _pooled(self, first: int, count: int) -> list[Item]:
        """The same items, loaded ahead by threads; a jump (a resume, a retry) starts the queue anew."""
        assert self._pool is not None
        self._lookahead = max(self._lookahead, 3 * count)
        if not self._ahead or self._ahead[0][0] != first:
            self._ahead.clear()
        while len(self._ahead) < self._lookahead:
            position = self.following(self._ahead[-1][0]) if self._ahead else first
            self._ahead.append((position, self._pool.submit(self.at, position)))
        return [self._ahead.popleft()[1].result() for _ in range(count)]

    def following(self, position: int) -> int:
        """The position that is asked for after one."""
        if self.part is None:
            return position + 1
        batch, begin, own = self.part
        return position + 1 + (batch - own if (position + 1 - begin) % batch == own % batch else 0)

    def close(self) -> None:
        """End the threads."""
        if self._batches:
            self._batches.close()
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class Mixed:
    """Made samples that are added to the training samples: x (N, 1, H, W) in [0, 1], classes (N,)."""

    x: Tensor
    classes: Tensor

    @property
    def labels(self) -> list[int]:
        return [int(c) for c in self.classes]

    def item(self, index: int) -> Item:
        """One of them, as if it had been loaded; it belongs to no patient."""
        x = self.x[index].float()
        targets = {"class": self.classes[index].long()}
        return Item(
            f"made:{index}", (x,), (True,), (np.eye(3),), targets, (torch.ones_like(x, dtype=torch.bool),), (1.0,)
        )


def batches_of(
    samples: Iterable[Sample], loader: SampleLoader, device: torch.device, size: int, seed: int | None = None
) -> Iterator[Batch]:
    """Batches of these samples in their order; with a seed, varied by it."""
    group: list[Item] = []
    for sample in samples:
        group.append(loader.item(sample, None if seed is None else key_seed(seed, sample.id)))
        if len(group) == size:
            yield loader.collate(group, device)
            group = []
    if group:
        yield loader.collate(group, device)


def loaded(samples: Iterable[Sample], loader: SampleLoader, workers: int) -> Iterator[tuple[Sample, Item]]:
    """Each sample with what is loaded for it, in order; threads, where there are some, load ahead."""
    return each_ahead(loader.item, samples, workers)


def of_splits(samples: Iterable[Sample], *splits: str) -> list[Sample]:
    """The samples of some splits."""
    return [sample for sample in samples if sample.split in splits]
