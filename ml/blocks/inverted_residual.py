"""Inverted residual: widen, filter each map by itself, narrow without activation. Names are torchvision's.

Source: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
"""

from torch import Tensor, nn

from ml.blocks.block import Block


def conv_norm_relu6(i: int, o: int, k: int = 3, s: int = 1, g: int = 1) -> nn.Sequential:
    """Convolution ("same" padding, no bias), BatchNorm, ReLU6: (N, I, H, W) to (N, O, H/s, W/s)."""
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o), nn.ReLU6(inplace=True))


class InvertedResidual(Block):
    """1x1 t*i, depthwise 3x3(s), linear 1x1 o; plus the input where the shape stays: (N, I, H, W) to (N, O, H/s, W/s).

    `expansion` t = 1 leaves the first convolution out.
    """

    def __init__(self, i: int, o: int, stride: int = 1, expansion: int = 6) -> None:
        super().__init__()
        hidden = i * expansion
        widen = [] if expansion == 1 else [conv_norm_relu6(i, hidden, 1)]
        self.conv = nn.Sequential(
            *widen,
            conv_norm_relu6(hidden, hidden, 3, stride, hidden),
            nn.Conv2d(hidden, o, 1, bias=False),
            nn.BatchNorm2d(o),
        )
        self.added = stride == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.added else self.conv(x)
