"""The last feature maps through which a score goes, whatever the method: found by watching its networks answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.spec import Modules

#: Maps below this many cells a side say nothing of a place; they are used where there is nothing better.
LEAST_CELLS = 4
#: A row of maps shows a view if it depends on it at least so much as on the view that it depends on most.
LEAST_SHARE = 0.25


@dataclass(frozen=True)
class Seen:
    """What a layer gave: maps (N, C, h, w), by the layer's name, which begins with the stage's."""

    layer: str
    maps: Tensor

    @property
    def is_trunk(self) -> bool:
        return "trunk" in self.layer.split(".") or "transfer" in self.layer


@contextmanager
def watched(modules: Modules) -> Iterator[list[Seen]]:
    """All spatial outputs of the networks while they answer, in the order in which they came."""
    seen: list[Seen] = []
    handles = [
        layer.register_forward_hook(partial(_keep, seen, f"{stage}.{name}"))
        for stage, network in modules.items()
        for name, layer in network.named_modules()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _keep(seen: list[Seen], name: str, layer: nn.Module, given: Any, output: Any) -> None:
    spatial = isinstance(output, Tensor) and output.dim() == 4 and output.requires_grad
    # One channel is an answer, not a feature; one cell has no place.
    if spatial and output.shape[1] > 1 and min(output.shape[2:]) > 1:
        seen.append(Seen(name, output))


def last_maps(seen: list[Seen], score: Tensor, x: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
    """For each view the last maps that show it, and the score's gradient there, each (C, h, w).

    x (1, V, 1, H, W) is what the networks read, a leaf. A trunk's maps are preferred: behind it, a detector's heads
    hold the score of one cell only. Which rows show which view is asked of the gradient, for methods order views in
    ways of their own.
    """
    gradients = torch.autograd.grad(score, [one.maps for one in seen], allow_unused=True, retain_graph=True)
    used = [(one, gradient) for one, gradient in zip(seen, gradients, strict=True) if gradient is not None]
    fine = [pair for pair in used if min(pair[0].maps.shape[2:]) >= LEAST_CELLS] or used
    trunk = [pair for pair in fine if pair[0].is_trunk] or fine
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for one, gradient in _apart(trunk):
        if len(found) == x.shape[1]:
            break
        for view, row in _rows_by_view(one.maps, x, set(range(x.shape[1])) - set(found)).items():
            found[view] = (one.maps[row].detach(), gradient[row])
    return found


def _apart(pairs: list[tuple[Seen, Tensor]]) -> Iterator[tuple[Seen, Tensor]]:
    """From the last to the first, a block's output once though its last layer gave the same."""
    before = None
    for one, gradient in reversed(pairs):
        if one.maps is not before:
            yield one, gradient
        before = one.maps


def _rows_by_view(maps: Tensor, x: Tensor, wanted: set[int]) -> dict[int, int]:
    """For each wanted view of x (1, V, 1, H, W) the row of maps (N, C, h, w) that depends on it most, if one does."""
    if x.shape[1] == 1:
        return {0: 0}
    shares = torch.stack([_shares(value, x) for value in maps.square().sum((1, 2, 3))])
    shares = shares / shares.amax(1, keepdim=True).clamp(min=1e-30)
    return {view: int(shares[:, view].argmax()) for view in wanted if shares[:, view].max() >= LEAST_SHARE}


def _shares(value: Tensor, x: Tensor) -> Tensor:
    """(V,) how much a value depends on each view."""
    (gradient,) = torch.autograd.grad(value, x, retain_graph=True, allow_unused=True)
    return torch.zeros(x.shape[1]) if gradient is None else gradient[0].abs().sum((1, 2, 3)).cpu()
