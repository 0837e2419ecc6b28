"""Pre-activation residual blocks: norm and ReLU before each convolution, a shortcut that nothing touches.

The projection of a shortcut is a 1x1 convolution without norm, and reads the activated input.
Source: He et al., "Identity mappings in deep residual networks", ECCV 2016.
"""

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block
from ml.blocks.norm import Norm, norm_layer


def _projection(i: int, o: int, stride: int, wanted: bool) -> nn.Sequential | None:
    return nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False)) if wanted else None


class PreActBlock(Block):
    """norm-ReLU-3x3(s)-norm-ReLU-3x3 + skip: (N, I, H, W) to (N, P, H/s, W/s). `down` projects the shortcut."""

    expansion = 1

    def __init__(self, i: int, p: int, stride: int = 1, *, down: bool = False, norm: Norm = "bn") -> None:
        super().__init__()
        self.bn1 = norm_layer(norm, i)
        self.conv1 = nn.Conv2d(i, p, 3, stride, 1, bias=False)
        self.bn2 = norm_layer(norm, p)
        self.conv2 = nn.Conv2d(p, p, 3, 1, 1, bias=False)
        self.downsample = _projection(i, p, stride, down)

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.bn1(x))
        y = self.conv2(functional.relu(self.bn2(self.conv1(active)), inplace=True))
        return y + (x if self.downsample is None else self.downsample(active))


class PreActBottleneck(Block):
    """norm-ReLU-1x1 p, norm-ReLU-3x3(s) p, norm-ReLU-1x1 4p + skip: (N, I, H, W) to (N, 4P, H/s, W/s)."""

    expansion = 4

    def __init__(self, i: int, p: int, stride: int = 1, *, down: bool = False, norm: Norm = "bn") -> None:
        super().__init__()
        o = p * self.expansion
        self.bn1 = norm_layer(norm, i)
        self.conv1 = nn.Conv2d(i, p, 1, bias=False)
        self.bn2 = norm_layer(norm, p)
        self.conv2 = nn.Conv2d(p, p, 3, stride, 1, bias=False)
        self.bn3 = norm_layer(norm, p)
        self.conv3 = nn.Conv2d(p, o, 1, bias=False)
        self.downsample = _projection(i, o, stride, down)

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.bn1(x))
        y = functional.relu(self.bn2(self.conv1(active)), inplace=True)
        y = self.conv3(functional.relu(self.bn3(self.conv2(y)), inplace=True))
        return y + (x if self.downsample is None else self.downsample(active))
