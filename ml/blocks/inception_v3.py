"""Inception-v3; names and layout are torchvision's.

Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, linear_or_none, required
from ml.blocks.inception_parts import AuxiliaryHead, AveragePool, ConvBnRelu, WideBlock
from ml.blocks.norm import start_from_scratch

W = Callable[[int], int]


class InceptionA(WideBlock):
    """1x1 64, 5x5 48-64, double 3x3 64-96-96, pool and 1x1; 35 x 35 at 299 px."""

    def __init__(self, i: int, pool: int, w: W) -> None:
        super().__init__()
        self.branch1x1 = ConvBnRelu(i, w(64), 1)
        self.branch5x5_1 = ConvBnRelu(i, w(48), 1)
        self.branch5x5_2 = ConvBnRelu(w(48), w(64), 5, pad=2)
        self.branch3x3dbl_1 = ConvBnRelu(i, w(64), 1)
        self.branch3x3dbl_2 = ConvBnRelu(w(64), w(96), 3, pad=1)
        self.branch3x3dbl_3 = ConvBnRelu(w(96), w(96), 3, pad=1)
        self.mean = AveragePool(padded=True)
        self.branch_pool = ConvBnRelu(i, w(pool), 1)
        self.width = w(64) + w(64) + w(96) + w(pool)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(self.mean(x))], 1)


class InceptionB(WideBlock):
    """To half the resolution: 3x3 384, double 3x3 64-96-96, max-pool."""

    def __init__(self, i: int, w: W) -> None:
        super().__init__()
        self.branch3x3 = ConvBnRelu(i, w(384), 3, 2)
        self.branch3x3dbl_1 = ConvBnRelu(i, w(64), 1)
        self.branch3x3dbl_2 = ConvBnRelu(w(64), w(96), 3, pad=1)
        self.branch3x3dbl_3 = ConvBnRelu(w(96), w(96), 3, 2)
        self.width = w(384) + w(96) + i

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, functional.max_pool2d(x, 3, 2)], 1)


class InceptionC(WideBlock):
    """1x1 192, chains of 1x7 and 7x1 of width `c` to 192, pool and 192; 17 x 17 at 299 px."""

    def __init__(self, i: int, c: int, w: W) -> None:
        super().__init__()
        o, m = w(192), w(c)
        self.branch1x1 = ConvBnRelu(i, o, 1)
        self.branch7x7_1 = ConvBnRelu(i, m, 1)
        self.branch7x7_2 = ConvBnRelu(m, m, (1, 7), pad=(0, 3))
        self.branch7x7_3 = ConvBnRelu(m, o, (7, 1), pad=(3, 0))
        self.branch7x7dbl_1 = ConvBnRelu(i, m, 1)
        self.branch7x7dbl_2 = ConvBnRelu(m, m, (7, 1), pad=(3, 0))
        self.branch7x7dbl_3 = ConvBnRelu(m, m, (1, 7), pad=(0, 3))
        self.branch7x7dbl_4 = ConvBnRelu(m, m, (7, 1), pad=(3, 0))
        self.branch7x7dbl_5 = ConvBnRelu(m, o, (1, 7), pad=(0, 3))
        self.mean = AveragePool(padded=True)
        self.branch_pool = ConvBnRelu(i, o, 1)
        self.width = 4 * o

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(self.mean(x))], 1)


class InceptionD(WideBlock):
    """To half the resolution: 192-320, 192 with 1x7 and 7x1, max-pool."""

    def __init__(self, i: int, w: W) -> None:
        super().__init__()
        m = w(192)
        self.branch3x3_1 = ConvBnRelu(i, m, 1)
        self.branch3x3_2 = ConvBnRelu(m, w(320), 3, 2)
        self.branch7x7x3_1 = ConvBnRelu(i, m, 1)
        self.branch7x7x3_2 = ConvBnRelu(m, m, (1, 7), pad=(0, 3))
        self.branch7x7x3_3 = ConvBnRelu(m, m, (7, 1), pad=(3, 0))
        self.branch7x7x3_4 = ConvBnRelu(m, m, 3, 2)
        self.width = w(320) + m + i

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, functional.max_pool2d(x, 3, 2)], 1)


class InceptionE(WideBlock):
    """1x1 320, two fans of 1x3 and 3x1, pool and 192; 8 x 8 at 299 px."""

    def __init__(self, i: int, w: W) -> None:
        super().__init__()
        m = w(384)
        self.branch1x1 = ConvBnRelu(i, w(320), 1)
        self.branch3x3_1 = ConvBnRelu(i, m, 1)
        self.branch3x3_2a = ConvBnRelu(m, m, (1, 3), pad=(0, 1))
        self.branch3x3_2b = ConvBnRelu(m, m, (3, 1), pad=(1, 0))
        self.branch3x3dbl_1 = ConvBnRelu(i, w(448), 1)
        self.branch3x3dbl_2 = ConvBnRelu(w(448), m, 3, pad=1)
        self.branch3x3dbl_3a = ConvBnRelu(m, m, (1, 3), pad=(0, 1))
        self.branch3x3dbl_3b = ConvBnRelu(m, m, (3, 1), pad=(1, 0))
        self.mean = AveragePool(padded=True)
        self.branch_pool = ConvBnRelu(i, w(192), 1)
        self.width = w(320) + 4 * m + w(192)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        fans = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        fans += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *fans, self.branch_pool(self.mean(x))], 1)


STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2")


class InceptionV3(Backbone):
    """(N, I, H, W) to the maps at 35, 17 and 8 cells of 299 px: 288, 768 and 2048 channels at factor 1.

    All widths are multiplied by `factor`. With `aux` and `classes`, `auxiliary(maps)` gives the auxiliary logits.
    """

    stem_name, stem_norm_name, classifier_names = "Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn", ("fc.", "AuxLogits.")

    def __init__(
        self, *, factor: float = 1.0, in_channels: int = 1, classes: int | None = None, aux: bool = False
    ) -> None:
        super().__init__()

        def w(channels: int) -> int:
            return round(channels * factor)

        self.in_channels = in_channels
        self.Conv2d_1a_3x3 = ConvBnRelu(in_channels, w(32), 3, 2)
        self.Conv2d_2a_3x3 = ConvBnRelu(w(32), w(32), 3)
        self.Conv2d_2b_3x3 = ConvBnRelu(w(32), w(64), 3, pad=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = ConvBnRelu(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = ConvBnRelu(w(80), w(192), 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        channels, self.widths = w(192), []
        stages: tuple[tuple[tuple[str, Callable[[int], WideBlock]], ...], ...] = (
            (("5b", lambda i: InceptionA(i, 32, w)), *((n, lambda i: InceptionA(i, 64, w)) for n in ("5c", "5d"))),
            (
                ("6a", lambda i: InceptionB(i, w)),
                ("6b", lambda i: InceptionC(i, 128, w)),
                ("6c", lambda i: InceptionC(i, 160, w)),
                ("6d", lambda i: InceptionC(i, 160, w)),
                ("6e", lambda i: InceptionC(i, 192, w)),
            ),
            (("7a", lambda i: InceptionD(i, w)), *((n, lambda i: InceptionE(i, w)) for n in ("7b", "7c"))),
        )
        self._stages: list[list[str]] = []
        for stage in stages:
            self._stages.append([f"Mixed_{name}" for name, _ in stage])
            channels = self._add(stage, channels)
            self.widths.append(channels)
        self.stage_prefixes = [tuple(f"{name}." for name in names) for names in self._stages]
        self.AuxLogits = (
            AuxiliaryHead(self.widths[1], classes, (w(128), w(768))) if aux and classes is not None else None
        )
        self.fc = linear_or_none(channels, classes)
        start_from_scratch(self)

    def _add(self, stage: Sequence[tuple[str, Callable[[int], WideBlock]]], channels: int) -> int:
        for name, make in stage:
            block = make(channels)
            self.add_module(f"Mixed_{name}", block)
            channels = block.width
        return channels

    def forward(self, x: Tensor) -> list[Tensor]:
        for name in STEM:
            x = self.get_submodule(name)(x)
        maps = []
        for stage in self._stages:
            for name in stage:
                x = self.get_submodule(name)(x)
            maps.append(x)
        return maps

    def auxiliary(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits (N, classes) of the auxiliary head from the maps of `forward`, for the training loss."""
        return required(self.AuxLogits)(maps[1])

    def head(self) -> nn.Module:
        return required(self.fc)


PRESETS: Mapping[str, float] = {"inception_v3": 1.0, "base_inception_v3": 0.5, "tiny_inception_v3": 0.125}


def inception_v3(name: str, *, in_channels: int = 1, classes: int | None = None, aux: bool = False) -> InceptionV3:
    """An Inception-v3 of `PRESETS`, which are factors of its widths."""
    return InceptionV3(factor=PRESETS[name], in_channels=in_channels, classes=classes, aux=aux)
