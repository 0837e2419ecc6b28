"""Stochastic depth: in training a sample skips a residual branch, the rest is scaled up.

Source: Huang et al., "Deep networks with stochastic depth", ECCV 2016.
"""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """(N, ...) with whole samples at 0 with probability p, the others divided by 1 - p; the identity in eval."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        kept = torch.rand(len(x), device=x.device) >= self.p
        return x * (kept / (1 - self.p)).to(x).reshape(-1, *[1] * (x.dim() - 1))
