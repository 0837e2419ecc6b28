"""ResNet: depth, width, dilation, normalisation and gates are arguments; names are torchvision's.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, linear_or_none, required
from ml.blocks.norm import Norm, norm_layer, start_from_scratch
from ml.blocks.residual import BasicBlock, Bottleneck

Block = type[BasicBlock] | type[Bottleneck]


class ResNet(Backbone):
    """(N, I, H, W) to the maps of the stem and of the stages (four of them in the paper), finest first.

    strides and dilations are per stage. `dilation_scope` "first" dilates only the first block of a stage, "all" every
    block. `gate(channels)` makes a module that is applied after the stem and after every stage. `classes` adds `fc`.
    """

    stem_name, stem_norm_name, classifier_names = "conv1", "bn1", ("fc.",)

    def __init__(
        self,
        block: Block,
        depths: Sequence[int],
        *,
        width: int = 64,
        in_channels: int = 1,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        dilation_scope: Literal["all", "first"] = "all",
        norm: Norm = "bn",
        gate: Callable[[int], nn.Module] | None = None,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.bn1 = norm_layer(norm, width)
        self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1)
        channels = width
        self.widths = [width]
        for stage, (depth, stride, dilation) in enumerate(zip(depths, strides, dilations, strict=True)):
            planes = width * 2**stage
            blocks = []
            for n in range(depth):
                dilated = dilation if n == 0 or dilation_scope == "all" else 1
                blocks.append(block(channels, planes, stride if n == 0 else 1, dilated, norm))
                channels = planes * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            self.widths.append(channels)
        self.stage_prefixes = [(f"layer{n}.", f"gates.{n}.") for n in range(1, len(self.widths))]
        self.gates = nn.ModuleList([gate(c) for c in self.widths] if gate else [])
        self.fc = linear_or_none(channels, classes)
        start_from_scratch(self)

    def _gated(self, x: Tensor, stage: int) -> Tensor:
        return self.gates[stage](x) if len(self.gates) else x

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self._gated(x, 0)
        maps = [x]
        x = self.maxpool(x)
        for stage in range(1, len(self.widths)):
            x = self._gated(self.get_submodule(f"layer{stage}")(x), stage)
            maps.append(x)
        return maps

    def head(self) -> nn.Module:
        return required(self.fc)


PRESETS: Mapping[str, tuple[Block, tuple[int, ...], int]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2), 64),
    "resnet34": (BasicBlock, (3, 4, 6, 3), 64),
    "resnet50": (Bottleneck, (3, 4, 6, 3), 64),
    "resnet101": (Bottleneck, (3, 4, 23, 3), 64),
    "tiny_resnet_basic": (BasicBlock, (1, 1, 1, 1), 16),
    "tiny_resnet_bottleneck": (Bottleneck, (1, 1, 1, 1), 16),
}


def resnet(name: str, *, in_channels: int = 1, classes: int | None = None, **options: Any) -> ResNet:
    """A ResNet of `PRESETS`; `options` are those of `ResNet`, a `width` replaces the preset's."""
    block, depths, width = PRESETS[name]
    return ResNet(block, depths, **{"width": width, "in_channels": in_channels, "classes": classes, **options})
