"""The parts of a DenseNet: every layer reads all maps before it. Names are torchvision's.

Source: Huang et al., "Densely connected convolutional networks", CVPR 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block

BOTTLENECK = 4


class DenseLayer(nn.Module):
    """norm-ReLU-1x1 4g-norm-ReLU-3x3 g: (N, I, H, W) to the G new maps (N, G, H, W)."""

    def __init__(self, i: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(i)
        self.conv1 = nn.Conv2d(i, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x), inplace=True))
        return self.conv2(functional.relu(self.norm2(y), inplace=True))


class DenseBlock(Block):
    """n dense layers: (N, I, H, W) to (N, I + n*G, H, W), whose first I maps are the input."""

    def __init__(self, i: int, layers: int, growth: int) -> None:
        super().__init__()
        self.width = i + layers * growth
        for n in range(layers):
            self.add_module(f"denselayer{n + 1}", DenseLayer(i + n * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transition(nn.Module):
    """norm-ReLU-1x1 c/2-average pool 2: (N, C, H, W) to (N, C//2, H//2, W//2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(self.conv(functional.relu(self.norm(x), inplace=True)), 2)
