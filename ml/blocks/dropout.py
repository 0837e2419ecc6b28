"""Dropout whose masks can be held, so that every image of a Monte-Carlo pass sees the same thinned network.

With masks drawn anew per image, the passes of an exam's images would be samples of different networks, and the
mutual information of their mean would be too small.
Source: Gal and Ghahramani 2016; Kirsch et al. 2019 for the consistent masks.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class HeldDropout(nn.Module):
    """Drops whole channels of (N, C) or (N, C, H, W), scaled by 1/(1-p). Off in eval unless a mask is held."""

    def __init__(self, channels: int, p: float) -> None:
        super().__init__()
        self.channels, self.p = channels, p
        self.held: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.held is not None:
            return x * self.held.to(x).reshape(1, -1, *[1] * (x.dim() - 2))
        if not self.training or self.p == 0.0:
            return x
        keep = torch.rand(x.shape[:2], device=x.device) >= self.p
        return x * (keep / (1 - self.p)).to(x).reshape(*x.shape[:2], *[1] * (x.dim() - 2))

    def masks(self, passes: int, generator: torch.Generator) -> Tensor:
        """(T, C) masks, 0 or 1/(1-p)."""
        keep = torch.rand(passes, self.channels, generator=generator) >= self.p
        return keep.float() / (1 - self.p)


def pass_masks(network: nn.Module, passes: int, seed: int) -> dict[str, Tensor]:
    """Masks (T, C) of every dropout layer by its name; a function of the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    return {name: m.masks(passes, generator) for name, m in network.named_modules() if isinstance(m, HeldDropout)}


@contextmanager
def held(network: nn.Module, masks: dict[str, Tensor], index: int) -> Iterator[None]:
    """Run the network with the masks of pass `index`."""
    layers = {name: module for name, module in network.named_modules() if isinstance(module, HeldDropout)}
    try:
        for name, layer in layers.items():
            layer.held = masks[name][index]
        yield
    finally:
        for layer in layers.values():
            layer.held = None
