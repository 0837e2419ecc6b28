"""Residual blocks with the names of torchvision's ResNet, so that a weights file loads without renaming.

Source: He et al. 2016, the variant with the stride on the 3x3 convolution; dilation keeps the resolution instead of
striding (Yu et al. 2017).
"""

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block
from ml.blocks.norm import Norm, norm_layer


def _skip(i: int, o: int, stride: int, norm: Norm) -> nn.Sequential | None:
    if stride == 1 and i == o:
        return None
    return nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), norm_layer(norm, o))


class BasicBlock(Block):
    """3x3(s)-norm-ReLU-3x3-norm + skip, ReLU: (N, I, H, W) to (N, P, H/s, W/s). `dilation` applies to both."""

    expansion = 1

    def __init__(self, i: int, p: int, stride: int = 1, dilation: int = 1, norm: Norm = "bn") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(i, p, 3, stride, dilation, dilation, bias=False)
        self.bn1 = norm_layer(norm, p)
        self.conv2 = nn.Conv2d(p, p, 3, 1, dilation, dilation, bias=False)
        self.bn2 = norm_layer(norm, p)
        self.downsample = _skip(i, p, stride, norm)

    @property
    def last_norm(self) -> nn.Module:
        """The norm that ends the residual branch."""
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(Block):
    """1x1 p, 3x3(s) p, 1x1 4p + skip, ReLU: (N, I, H, W) to (N, 4P, H/s, W/s)."""

    expansion = 4

    def __init__(self, i: int, p: int, stride: int = 1, dilation: int = 1, norm: Norm = "bn") -> None:
        super().__init__()
        o = p * self.expansion
        self.conv1 = nn.Conv2d(i, p, 1, bias=False)
        self.bn1 = norm_layer(norm, p)
        self.conv2 = nn.Conv2d(p, p, 3, stride, dilation, dilation, bias=False)
        self.bn2 = norm_layer(norm, p)
        self.conv3 = nn.Conv2d(p, o, 1, bias=False)
        self.bn3 = norm_layer(norm, o)
        self.downsample = _skip(i, o, stride, norm)

    @property
    def last_norm(self) -> nn.Module:
        """The norm that ends the residual branch."""
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))
