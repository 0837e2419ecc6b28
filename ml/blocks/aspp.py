"""Atrous spatial pyramid pooling: several fields of view at one resolution. Source: Chen et al. 2017 (DeepLab v3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.norm import Norm


class ASPP(nn.Module):
    """(N, I, H, W) to (N, O, H, W): 1x1, a 3x3 for each rate, the image's mean; concat; 1x1.

    With `bn` a training batch needs two images: the image's mean is one cell, which has no variance on its own.
    """

    def __init__(self, i: int, o: int = 256, rates: Sequence[int] = (6, 12, 18), norm: Norm = "bn") -> None:
        super().__init__()
        self.point = ConvNormAct(i, o, 1, norm=norm)
        self.atrous = nn.ModuleList(ConvNormAct(i, o, 3, d=rate, norm=norm) for rate in rates)
        self.image = ConvNormAct(i, o, 1, norm=norm)
        self.project = ConvNormAct((2 + len(rates)) * o, o, 1, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        image = functional.interpolate(self.image(x.mean((2, 3), keepdim=True)), size=x.shape[-2:])
        return self.project(torch.cat([self.point(x), *[branch(x) for branch in self.atrous], image], 1))
