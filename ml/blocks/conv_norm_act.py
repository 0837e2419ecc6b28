"""Convolution, normalisation, ReLU."""

from torch import nn

from ml.blocks.norm import Norm, norm_layer


class ConvNormAct(nn.Sequential):
    """(N, I, H, W) to (N, O, H/s, W/s); "same" padding d*(k//2), no bias before the norm."""

    def __init__(self, i: int, o: int, k: int = 3, s: int = 1, d: int = 1, g: int = 1, norm: Norm = "bn") -> None:
        super().__init__(
            nn.Conv2d(i, o, k, s, padding=d * (k // 2), dilation=d, groups=g, bias=False),
            norm_layer(norm, o),
            nn.ReLU(inplace=True),
        )
