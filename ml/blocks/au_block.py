"""Attention-guided dense upsampling: what AUNet decodes with. Source: Sun et al. 2018 (arXiv 1810.10151)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block
from ml.blocks.channel_gate import ChannelGate
from ml.blocks.norm import norm_layer


def conv_bn(i: int, o: int, *, relu: bool = True) -> nn.Sequential:
    """3x3 with bias, BN, ReLU. The bias does nothing before a BN; the published parameter count has it."""
    layers: list[nn.Module] = [nn.Conv2d(i, o, 3, padding=1), norm_layer("bn", o)]
    return nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)


class AUEncoderBlock(Block):
    """r = conv-BN-ReLU(x); ReLU(r + conv-BN(conv-BN-ReLU(r))): (N, I, H, W) to (N, O, H, W)."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.first = conv_bn(i, o)
        self.rest = nn.Sequential(conv_bn(o, o), conv_bn(o, o, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        r = self.first(x)
        return torch.relu(r + self.rest(r))


class AUBlock(Block):
    """x (N, C, H, W) and the skip (N, C/2, 2H, 2W) to (N, C/2, 2H, 2W).

    Bilinear upsampling keeps what is smooth, dense upsampling (channels shuffled into pixels) what is sharp. The
    dense map is *added* to the skip, the result and the bilinear map are concatenated, and a channel gate (plain x*g,
    C to C/16 to C) weighs the C of them.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        half = channels // 2
        self.bilinear = conv_bn(channels, half)
        self.dense = conv_bn(channels, 2 * channels)
        self.shuffle = nn.PixelShuffle(2)
        self.smooth = conv_bn(half, half)
        self.gate = ChannelGate(channels, reduction, residual=False)
        self.merge = nn.Sequential(conv_bn(channels, half), conv_bn(half, half))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        smoothed = self.smooth(skip + self.shuffle(self.dense(x)))
        return self.merge(self.gate(torch.cat([smoothed, self.bilinear(up)], 1)))
