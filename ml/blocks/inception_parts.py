"""Parts of Inception-v3 and v4: convolution-norm-ReLU with their names, and the auxiliary head.

Source: Szegedy et al., CVPR 2016.
"""

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block

Size = int | tuple[int, int]
EPS = 1e-3
AUXILIARY_CELLS = 5


class WideBlock(Block):
    """A block of parallel branches; `width` is the number of its output maps."""

    width: int


class ConvBnRelu(nn.Module):
    """Convolution without bias, BatchNorm (eps 1e-3, as the published weights need it), ReLU; `pad` as of Conv2d."""

    def __init__(self, i: int, o: int, k: Size, s: int = 1, pad: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, s, pad, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class AveragePool(nn.Module):
    """3x3 mean at stride 1, (N, C, H, W) to the same size; `padded`: the zeros around count, as they do in v3.

    Row by row whatever the format: PyTorch's gradient of a padded mean in the channels-last format is wrong on a GPU,
    without a word (its issue 188344).
    """

    def __init__(self, *, padded: bool) -> None:
        super().__init__()
        self.padded = padded

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x.contiguous(), 3, 1, 1, count_include_pad=self.padded)


class AuxiliaryHead(nn.Module):
    """Logits from the map of 17 x 17 cells, for training alone: mean 5x5 at stride 3, 1x1, 5x5, mean, linear.

    A map of fewer than 17 cells is pooled to the 5 x 5 that the second convolution needs. `widths` are those of the
    two convolutions.
    """

    def __init__(self, i: int, classes: int, widths: tuple[int, int] = (128, 768)) -> None:
        super().__init__()
        first, second = widths
        self.conv0 = ConvBnRelu(i, first, 1)
        self.conv1 = ConvBnRelu(first, second, AUXILIARY_CELLS)
        self.fc = nn.Linear(second, classes)

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[-2:]) < 17:
            x = functional.adaptive_avg_pool2d(x, AUXILIARY_CELLS)
        else:
            x = functional.avg_pool2d(x, 5, 3)
        return self.fc(self.conv1(self.conv0(x)).mean((2, 3)))
