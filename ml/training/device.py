"""The device and the number format of a run."""

import gc
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from ml.runs.errors import RunRefused, invalid
from ml.runs.exits import Exit
from ml.runs.request import Compute
from ml.training.ranks import ALONE, Ranks, joined, launched

MOST_WORKERS = 16


@dataclass(frozen=True)
class Machine:
    """Where a run computes, and in what. `precision` is fp32, bf16 or fp16; a CPU has fp32 unless asked for another.

    ranks: this process among those that train one model together. workers: threads that load samples.
    """

    device: torch.device
    precision: str
    ranks: Ranks = ALONE
    workers: int = 0

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def joins_norms(self) -> bool:
        """Whether batch norms see the parts of all processes as one batch: PyTorch can do so on CUDA alone."""
        return self.cuda and self.ranks.size > 1

    def autocast(self) -> AbstractContextManager[object]:
        """Half precision for what tolerates it; losses are computed in float32 by the methods."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16 if self.precision == "bf16" else torch.float16)

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, with channels last on CUDA, where convolutions are faster so."""
        network = network.to(self.device)
        # Not on a CPU: convolutions are faster there, too, but PyTorch 2.13 can end in a segmentation fault (backward).
        return network.to(memory_format=torch.channels_last) if self.cuda else network  # type: ignore[call-overload] # torch's stubs leave it out

    def free_memory(self) -> None:
        """Give back what a failed step left: call it when its exception, which holds tensors, is gone."""
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()

    @property
    def memory_mb(self) -> int | None:
        """Most memory that tensors took on the device so far."""
        return torch.cuda.max_memory_allocated(self.device) // 2**20 if self.cuda else None


def machine_for(compute: Compute) -> Machine:
    """Settle device and precision, and the switches of a deterministic run. Raises RunRefused (exit 2 or 6)."""
    # Batches of a detector come in many shapes: trying out algorithms for each would cost more than it gains.
    torch.backends.cudnn.benchmark = False
    if compute.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    if compute.threads:
        torch.set_num_threads(compute.threads)
    wanted = compute.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RunRefused(Exit.DEVICE_LOST, "device_missing", "the run asks for a GPU and there is none")
    if wanted == "cuda" and launched():
        wanted = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise invalid("device_unknown", f"no device is named {wanted!r}: auto, cpu, cuda or cuda:N") from None
    if device.index is not None:
        torch.cuda.set_device(device)
    workers = compute.workers
    if workers is None:
        # None on a CPU, where the network needs the cores.
        workers = min(MOST_WORKERS, os.cpu_count() or 1) if device.type == "cuda" else 0
    return Machine(device, _precision(compute.precision, device), joined(device), workers)


def _precision(wanted: str, device: torch.device) -> str:
    if wanted != "auto":
        return wanted
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


#: What PyTorch says where memory ended and the error has no class of its own: its CPU allocator, two CUDA libraries.
_NO_MEMORY = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """True for an allocation that failed on the device or in main memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def no_memory(text: str) -> RunRefused:
    """Memory ended, and fewer samples at once are no way out."""
    return RunRefused(Exit.OUT_OF_MEMORY, "out_of_memory", text)
