"""The ConvNeXt block and its norm over channels. Names are torchvision's.

Source: Liu et al., "A ConvNet for the 2020s", CVPR 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block
from ml.blocks.drop_path import DropPath

LAYER_SCALE = 1e-6


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of every pixel, (N, C, H, W) to the same; eps 1e-6."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.movedim(-1, 1)


class _ToLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1)


class _ToFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(-1, 1)


class ConvNeXtBlock(Block):
    """x + s * (depthwise 7x7, LayerNorm, 1x1 to 4C, GELU, 1x1 to C), (N, C, H, W) to the same.

    The layer scale s, one value a channel, starts at 1e-6; with s = 0 the block is the identity. `drop` is the
    probability of stochastic depth.
    """

    def __init__(self, channels: int, *, drop: float = 0.0, layer_scale: float = LAYER_SCALE) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            _ToLast(),
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            _ToFirst(),
        )
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.drop_path = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop_path(self.layer_scale * self.block(x))
