"""Several processes that train one model, one GPU each, started by PyTorch's launcher:
`torchrun --nproc-per-node 2 -m ml train RUN_DIR`.

Every process goes the same way through the stages. Of each batch it takes its own part; gradients are summed over all,
which is what one process would have had, batch norm on CPUs apart (`ml.training.norms`). Rank 0 alone writes the
folder, looks at validation and predicts; what it decides, all do. Alone, every function here is nothing.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

#: Rank 0 may prepare a whole data set while the others wait.
PATIENCE = timedelta(hours=24)


@dataclass(frozen=True)
class Ranks:
    """This process among those of the launch."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this one writes."""
        return self.rank == 0

    def part(self, count: int) -> tuple[int, int]:
        """(first, number) of `count` samples that are this process's; the first ones take what is left over."""
        least, over = divmod(count, self.size)
        return self.rank * least + min(self.rank, over), least + (self.rank < over)

    def even(self, count: int) -> int:
        """A batch of at most `count`, but one sample each, of which all processes have parts of one size."""
        return max(count // self.size, 1) * self.size

    def most(self, value: float) -> float:
        """The largest of all processes' values."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64 if self.device.type == "cpu" else torch.float32)
        shared = shared.to(self.device)
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return float(shared)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes: one message for all of a kind."""
        if self.size == 1:
            return
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            kinds.setdefault(tensor.dtype, []).append(tensor)
        for own in kinds.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in own])
            distributed.all_reduce(flat)
            for tensor, summed in zip(own, flat.split([tensor.numel() for tensor in own]), strict=True):
                tensor.copy_(summed.view_as(tensor))

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients; a weight that no process's part of the batch reached keeps none, as it would alone."""
        if self.size == 1:
            return
        moving = [parameter for parameter in parameters if parameter.requires_grad]
        reached = torch.tensor([float(p.grad is not None) for p in moving], device=self.device)
        self.add([reached])
        wanted = [parameter for parameter, count in zip(moving, reached.tolist(), strict=True) if count]
        for parameter in wanted:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.add([parameter.grad for parameter in wanted if parameter.grad is not None])

    def meet(self) -> None:
        """Wait until all are here."""
        self.most(0.0)


ALONE = Ranks()


def launched() -> bool:
    """Whether a launcher started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def first_of_launch() -> bool:
    """Whether this process is the one that writes; known before the others are found."""
    return int(os.environ.get("RANK", "0")) == 0


def joined(device: torch.device) -> Ranks:
    """This process, once all have found each other. Does nothing without a launcher."""
    if not launched():
        return ALONE
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    return Ranks(distributed.get_rank(), distributed.get_world_size(), device)


def parted() -> None:
    """End what `joined` began."""
    if launched() and distributed.is_initialized():
        distributed.destroy_process_group()
