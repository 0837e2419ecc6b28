"""Inception-v4, with an optional gate after every block and an auxiliary head.

Source: Szegedy et al., "Inception-v4, Inception-ResNet and the impact of residual connections on learning", AAAI
2017; the gates as in Deng et al. 2020 (their positions are our choice). torchvision has no such network: the names
are those of timm. Gates have names of their own, so a weights file without gates fits the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ml.blocks.backbone import Backbone, between, linear_or_none, required
from ml.blocks.inception_parts import AuxiliaryHead, AveragePool, ConvBnRelu, WideBlock
from ml.blocks.norm import start_from_scratch

W = Callable[[int], int]
Conv = tuple[int, int | tuple[int, int]]  # width and kernel; the padding keeps the size


def _conv(i: int, o: int, k: int | tuple[int, int]) -> ConvBnRelu:
    return ConvBnRelu(i, o, k, pad=k // 2 if isinstance(k, int) else (k[0] // 2, k[1] // 2))


def _chain(i: int, *convs: Conv, then: Callable[[int], nn.Module] | None = None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for o, k in convs:
        layers.append(_conv(i, o, k))
        i = o
    return nn.Sequential(*layers, *([then(i)] if then else []))


def _pooled(i: int, o: int) -> nn.Sequential:
    return nn.Sequential(AveragePool(padded=False), ConvBnRelu(i, o, 1))


class Branches(WideBlock):
    """Parallel branches of one input, concatenated in order: (N, I, H, W) to (N, `width`, H', W')."""

    def __init__(self, width: int, **branches: nn.Module) -> None:
        super().__init__()
        self.width = width
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


def block_a(i: int, w: W) -> Branches:
    """1x1 96, 3x3 64-96, double 3x3 64-96-96, pool and 96: 384 maps at 35 cells of 299 px."""
    return Branches(
        4 * w(96),
        branch0=ConvBnRelu(i, w(96), 1),
        branch1=_chain(i, (w(64), 1), (w(96), 3)),
        branch2=_chain(i, (w(64), 1), (w(96), 3), (w(96), 3)),
        branch3=_pooled(i, w(96)),
    )


def reduction_a(i: int, w: W) -> Branches:
    """3x3 384, 192-224-256, max-pool, all at stride 2."""
    return Branches(
        w(384) + w(256) + i,
        branch0=ConvBnRelu(i, w(384), 3, 2),
        branch1=_chain(i, (w(192), 1), (w(224), 3), then=lambda c: ConvBnRelu(c, w(256), 3, 2)),
        branch2=nn.MaxPool2d(3, 2),
    )


def block_b(i: int, w: W) -> Branches:
    """1x1 384, chains of 1x7 and 7x1, pool and 128: 1024 maps at 17 cells."""
    row, column = (1, 7), (7, 1)
    return Branches(
        w(384) + 2 * w(256) + w(128),
        branch0=ConvBnRelu(i, w(384), 1),
        branch1=_chain(i, (w(192), 1), (w(224), row), (w(256), column)),
        branch2=_chain(i, (w(192), 1), (w(192), column), (w(224), row), (w(224), column), (w(256), row)),
        branch3=_pooled(i, w(128)),
    )


def reduction_b(i: int, w: W) -> Branches:
    """192-192, 256-1x7-7x1-320, max-pool, all at stride 2."""
    return Branches(
        w(192) + w(320) + i,
        branch0=_chain(i, (w(192), 1), then=lambda c: ConvBnRelu(c, w(192), 3, 2)),
        branch1=_chain(i, (w(256), 1), (w(256), (1, 7)), (w(320), (7, 1)), then=lambda c: ConvBnRelu(c, w(320), 3, 2)),
        branch2=nn.MaxPool2d(3, 2),
    )


class BlockC(WideBlock):
    """1x1 256, two fans that end in 1x3 and 3x1 side by side, pool and 256: 1536 maps at 8 cells."""

    def __init__(self, i: int, w: W) -> None:
        super().__init__()
        o = w(256)
        self.width = 6 * o
        self.branch0 = ConvBnRelu(i, o, 1)
        self.branch1_0 = ConvBnRelu(i, w(384), 1)
        self.branch1_1a, self.branch1_1b = _conv(w(384), o, (1, 3)), _conv(w(384), o, (3, 1))
        self.branch2_0 = ConvBnRelu(i, w(384), 1)
        self.branch2_1, self.branch2_2 = _conv(w(384), w(448), (3, 1)), _conv(w(448), w(512), (1, 3))
        self.branch2_3a, self.branch2_3b = _conv(w(512), o, (1, 3)), _conv(w(512), o, (3, 1))
        self.branch3 = _pooled(i, o)

    def forward(self, x: Tensor) -> Tensor:
        short = self.branch1_0(x)
        long = self.branch2_2(self.branch2_1(self.branch2_0(x)))
        fans = [self.branch1_1a(short), self.branch1_1b(short), self.branch2_3a(long), self.branch2_3b(long)]
        return torch.cat([self.branch0(x), *fans, self.branch3(x)], 1)


class PoolAndConv(WideBlock):
    """Max-pool and a 3x3 convolution, both at stride 2, side by side; `conv_first` is the order of the maps."""

    def __init__(self, i: int, o: int, *, conv_first: bool) -> None:
        super().__init__()
        self.width, self.conv_first = i + o, conv_first
        self.conv = ConvBnRelu(i, o, 3, 2)
        self.maxpool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.maxpool(x), self.conv(x)]
        return torch.cat(parts[::-1] if self.conv_first else parts, 1)


def full_stem(in_channels: int, w: W) -> tuple[list[nn.Module], int]:
    """The published stem, 384 maps at 35 cells of 299 px."""
    third = PoolAndConv(w(64), w(96), conv_first=False)
    fourth = Branches(
        2 * w(96),
        branch0=_chain(third.width, (w(64), 1), then=lambda c: ConvBnRelu(c, w(96), 3)),
        branch1=_chain(
            third.width, (w(64), 1), (w(64), (1, 7)), (w(64), (7, 1)), then=lambda c: ConvBnRelu(c, w(96), 3)
        ),
    )
    fifth = PoolAndConv(2 * w(96), w(192), conv_first=True)
    convs = [ConvBnRelu(in_channels, w(32), 3, 2), ConvBnRelu(w(32), w(32), 3), _conv(w(32), w(64), 3)]
    return [*convs, third, fourth, fifth], fifth.width


def short_stem(in_channels: int, w: W) -> tuple[list[nn.Module], int]:
    """Two convolutions at stride 2 of fixed width, for small images."""
    return [ConvBnRelu(in_channels, 16, 3, 2, 1), ConvBnRelu(16, 24, 3, 2, 1)], 24


@dataclass(frozen=True, kw_only=True)
class InceptionV4Plan:
    """Factor of all widths, numbers of the blocks A, B and C (0: the network ends before their reduction), stem."""

    factor: float = 1.0
    blocks: tuple[int, int, int] = (4, 7, 3)
    short: bool = False


PRESETS: Mapping[str, InceptionV4Plan] = {
    "inception_v4": InceptionV4Plan(),
    "base_inception_v4": InceptionV4Plan(factor=0.5),
    "tiny_inception_v4": InceptionV4Plan(factor=0.125, blocks=(1, 1, 0), short=True),
}


class InceptionV4(Backbone):
    """(N, I, H, W) to the maps after the last A, B and C: 384, 1024, 1536 channels, 35, 17, 8 cells of 299 px.

    `gate(channels)` makes a module that is applied after every block (14 in the published plan; not after reductions
    or the stem), kept in `gates` in order. With `aux` and `classes`, `auxiliary(maps)` gives the auxiliary logits.
    """

    stem_name, stem_norm_name = "features.0.conv", "features.0.bn"
    classifier_names = ("last_linear.", "auxiliary_head.")

    def __init__(
        self,
        plan: InceptionV4Plan,
        *,
        in_channels: int = 1,
        gate: Callable[[int], nn.Module] | None = None,
        classes: int | None = None,
        aux: bool = False,
    ) -> None:
        super().__init__()

        def w(channels: int) -> int:
            return round(channels * plan.factor)

        self.in_channels = in_channels
        layers, channels = (short_stem if plan.short else full_stem)(in_channels, w)
        first = len(layers)
        self.widths = []
        self._gate_of: dict[int, int] = {}
        self._ends: list[int] = []
        reductions = (None, reduction_a, reduction_b)
        makers: tuple[Callable[[int, W], WideBlock], ...] = (block_a, block_b, BlockC)
        gated: list[int] = []
        for reduction, make, depth in zip(reductions, makers, plan.blocks, strict=True):
            if not depth:
                break
            if reduction is not None:
                layers.append(reduced := reduction(channels, w))
                channels = reduced.width
            for _ in range(depth):
                block = make(channels, w)
                channels = block.width
                self._gate_of[len(layers)] = len(gated)
                gated.append(channels)
                layers.append(block)
            self._ends.append(len(layers) - 1)
            self.widths.append(channels)
        self.stage_prefixes = between(first, self._ends)
        self.features = nn.Sequential(*layers)
        self.gates = nn.ModuleList([gate(c) for c in gated] if gate else [])
        self.auxiliary_head = (
            AuxiliaryHead(self.widths[1], classes, (w(128), w(768))) if aux and classes is not None else None
        )
        self.last_linear = linear_or_none(channels, classes)
        start_from_scratch(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for n, module in enumerate(self.features):
            x = module(x)
            if n in self._gate_of and len(self.gates):
                x = self.gates[self._gate_of[n]](x)
            if n in self._ends:
                maps.append(x)
        return maps

    def auxiliary(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits (N, classes) of the auxiliary head from the maps of `forward`, for the training loss."""
        return required(self.auxiliary_head)(maps[1])

    def head(self) -> nn.Module:
        return required(self.last_linear)


def inception_v4(
    name: str,
    *,
    in_channels: int = 1,
    classes: int | None = None,
    gate: Callable[[int], nn.Module] | None = None,
    aux: bool = False,
    **options: Any,
) -> InceptionV4:
    """An Inception-v4 of `PRESETS`; `options` replace fields of its plan."""
    plan = replace(PRESETS[name], **options)
    return InceptionV4(plan, in_channels=in_channels, gate=gate, classes=classes, aux=aux)
