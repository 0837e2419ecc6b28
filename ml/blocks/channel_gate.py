"""Channel gate: which feature maps matter for this image.

Source: Hu et al. 2018 (squeeze and excitation); the residual form x*g + x is that of Li et al. 2020.
"""

import torch
from torch import Tensor, nn


class ChannelGate(nn.Module):
    """g = sigmoid(FC(ReLU(FC(mean of x)))), (N, C) in (0, 1); gives x*g + x (`residual`) or x*g, (N, C, H, W)."""

    def __init__(self, channels: int, reduction: int = 16, *, bias: bool = True, residual: bool = True) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction, bias=bias)
        self.excite = nn.Linear(channels // reduction, channels, bias=bias)
        self.residual = residual
        if bias:
            # A narrow gate has a hidden unit or two, and its input is never negative: one that starts dead stays so.
            nn.init.ones_(self.squeeze.bias)

    def gate(self, x: Tensor) -> Tensor:
        """The gate values, (N, C)."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))

    def forward(self, x: Tensor) -> Tensor:
        gated = x * self.gate(x)[:, :, None, None]
        return gated + x if self.residual else gated
