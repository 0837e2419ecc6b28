"""Batch norms: forward passes that leave no trace in them, and one batch of several processes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ml.blocks.norm import is_batch_norm

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Norms in train mode go on to norm by their batch, but what they count and average goes into copies.

    Copies, and not none at all: autograd would then keep fewer tensors than in the pass that is repeated.
    """
    norms = [module for module in network.modules() if is_batch_norm(module) and module.training]
    own = [{name: norm.get_buffer(name) for name in _STATISTICS} for norm in norms]
    for norm, buffers in zip(norms, own, strict=True):
        norm._buffers.update({name: buffer.clone() for name, buffer in buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, own, strict=True):
            norm._buffers.update(buffers)


def join_norms(network: nn.Module) -> None:
    """Batch norms that see the parts of all processes as one batch; names, weights and optimisers stay.

    PyTorch has them for CUDA alone: on a CPU they refuse to compute. There, a norm sees its process's part.
    """
    nn.SyncBatchNorm.convert_sync_batchnorm(network)
