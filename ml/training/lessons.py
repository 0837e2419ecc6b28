"""What a stage without gradient steps learns from, and what stages leave for each other on disk."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.methods.spec import Aim, Batch
from ml.training.checkpoints import contiguous
from ml.training.data import Sample, SampleLoader, batches_of, of_splits
from ml.training.device import Machine
from ml.training.loop import Watch
from ml.training.sampling import key_seed


@dataclass(frozen=True)
class Artefacts:
    """`artefacts/<stage>/<name>.safetensors`, each whole or not there."""

    root: Path

    def read(self, reference: str) -> dict[str, Tensor]:
        """The tensors of `stage:name`."""
        stage, _, name = reference.partition(":")
        return load_file(self.root / stage / f"{name}.safetensors")

    def write(self, stage: str, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors under a name."""
        folder = self.root / stage
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.tmp"
        save_file(contiguous(dict(tensors)), temporary)
        temporary.replace(folder / f"{name}.safetensors")

    def names(self, stage: str) -> list[str]:
        """What a stage kept, beside its weights."""
        return sorted(path.stem for path in (self.root / stage).glob("*.safetensors") if path.stem != "weights")


@dataclass(frozen=True)
class StageLesson:
    """The `Lesson` of a stage: its samples in batches, earlier modules and artefacts."""

    modules: Mapping[str, nn.Module]
    aim: Aim
    config: Any
    seed: int
    stage: str
    samples: list[Sample]
    loader: SampleLoader
    machine: Machine
    watch: Watch
    artefacts: Path

    def batches(self, *splits: str, size: int = 16, varied: int = 0) -> Iterator[Batch]:
        """Samples of splits that teach something, in the order of their ids; `varied` copies of each where asked."""
        found = [s for s in of_splits(self.samples, *splits) if self.loader.group(s) is not None]
        seeds: list[int | None] = [None]
        if varied:
            seeds = [key_seed(self.seed, self.stage, n) for n in range(varied)]
        total, done = len(found) * len(seeds), 0
        for seed in seeds:
            for batch in batches_of(found, self.loader, self.machine.device, size, seed):
                self.watch.stop.check()
                yield batch
                done += len(batch.ids)
                self._tell(done, total)

    def places(self, ids: Sequence[str]) -> list[int]:
        """Positions of training samples among all training samples."""
        known = {sample.id: n for n, sample in enumerate(of_splits(self.samples, "train"))}
        return [known[own] for own in ids]

    def artefact(self, name: str) -> Mapping[str, Tensor]:
        """What an earlier stage kept: `stage:name`."""
        return Artefacts(self.artefacts).read(name)

    def keep(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors for later stages."""
        Artefacts(self.artefacts).write(self.stage, name, tensors)

    def _tell(self, done: int, total: int) -> None:
        self.watch.heartbeat.stage, self.watch.heartbeat.step = self.stage, done
        if self.watch.events.progress_due():
            self.watch.events.progress(
                stage=self.stage, step=done, planned_steps=total, epoch=0, seconds=None, images_per_s=None, eta_s=None,
                lr=None, loss=None, gpu_mem_mb=self.machine.memory_mb,
            )  # fmt: skip


def fold_of(seed: int, patient: str, folds: int) -> int:
    """The fold of a patient: sha256(seed|patient) mod folds."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{patient}".encode()).digest()[:8], "big") % folds
