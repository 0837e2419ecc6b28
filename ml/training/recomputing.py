"""Gradient checkpointing: blocks keep their input alone and are computed again when gradients come back.

Memory for time: about a third more of it. The second pass is the first once more: the same dropout (PyTorch restores
the random numbers and the autocast of the first), and running statistics of norms are left alone, or they would move
twice a step.
Source: Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ml.blocks.block import Block
from ml.training.norms import statistics_kept


def recompute_blocks(network: nn.Module) -> int:
    """Let every block of the network be computed twice from now on; how many became so.

    0 where the network is not made of any, or where all are so already.
    """
    found = [block for block in _outermost(network) if "forward" not in vars(block)]
    for block in found:
        block.forward = partial(_twice, block, block.forward)
    return len(found)


def _outermost(module: nn.Module) -> Iterator[Block]:
    """Blocks that are not inside another: what is inside would be computed three times."""
    if isinstance(module, Block):
        yield module
        return
    for child in module.children():
        yield from _outermost(child)


def _twice(block: Block, forward: Callable[..., Any], *given: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*given)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), statistics_kept(block)

    return checkpoint(forward, *given, use_reentrant=False, context_fn=contexts)
