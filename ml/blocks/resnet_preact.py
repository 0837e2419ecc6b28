"""Pre-activation ResNets: ResNet-50 v2, and the narrow ResNet-22 of whole mammograms.

Source: He et al., ECCV 2016 (v2); Wu et al., IEEE TMI 39(4), 2020, and Shen et al., Med. Image Anal. 68, 2021, for
ResNet-22, whose module names are those of its public code (nyukat/GMIC). torchvision has no ResNet v2; its names are
torchvision's of ResNet, with `norm` for the last norm.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, linear_or_none, required
from ml.blocks.norm import Norm, norm_layer, start_from_scratch
from ml.blocks.preact import PreActBlock, PreActBottleneck


class ResNetV2(Backbone):
    """(N, I, H, W) to the maps of the stem (stride 2) and of the four stages (4, 8, 16, 32), the last one activated.

    No norm follows the stem: the first one is that of the first block.
    """

    stem_name, stem_norm_name, classifier_names = "conv1", "layer1.0.bn1", ("fc.",)

    def __init__(
        self,
        depths: Sequence[int] = (3, 4, 6, 3),
        *,
        width: int = 64,
        in_channels: int = 1,
        norm: Norm = "bn",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = width
        self.widths = [width]
        for stage, depth in enumerate(depths):
            planes, stride = width * 2**stage, 1 if stage == 0 else 2
            blocks = []
            for n in range(depth):
                blocks.append(PreActBottleneck(channels, planes, stride if n == 0 else 1, down=n == 0, norm=norm))
                channels = planes * PreActBottleneck.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
            self.widths.append(channels)
        self.stage_prefixes = [(f"layer{n}.",) for n in range(1, len(depths))] + [(f"layer{len(depths)}.", "norm.")]
        self.norm = norm_layer(norm, channels)
        self.fc = linear_or_none(channels, classes)
        start_from_scratch(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv1(x)
        maps = [x]
        x = self.maxpool(x)
        for stage in range(1, len(self.widths)):
            x = self.get_submodule(f"layer{stage}")(x)
            maps.append(x)
        return [*maps[:-1], functional.relu(self.norm(x))]

    def head(self) -> nn.Module:
        return required(self.fc)


class ResNet22(Backbone):
    """(N, I, H, W) to the maps of five stages of widths f*2^k, strides 4, 8, 16, 32, 64, the last one activated.

    `stem_padding` 0 is that of the density and screening networks, 3 that of GMIC; `blocks` is the number of
    PreActBlocks of a stage.
    """

    stem_name, stem_norm_name, classifier_names = "first_conv", "layer_list.0.0.bn1", ("fc.",)

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 2,
        stages: int = 5,
        stem_padding: int = 3,
        in_channels: int = 1,
        norm: Norm = "bn",
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.first_conv = nn.Conv2d(in_channels, width, 7, 2, stem_padding, bias=False)
        self.first_pool: nn.Module = nn.MaxPool2d(3, 2)
        self.layer_list = nn.ModuleList()
        channels = width
        self.widths = []
        for stage in range(stages):
            planes, stride = width * 2**stage, 1 if stage == 0 else 2
            made = []
            for n in range(blocks):
                made.append(PreActBlock(channels, planes, stride if n == 0 else 1, down=n == 0, norm=norm))
                channels = planes
            self.layer_list.append(nn.Sequential(*made))
            self.widths.append(channels)
        self.stage_prefixes = [(f"layer_list.{n}.",) for n in range(stages - 1)]
        self.stage_prefixes.append((f"layer_list.{stages - 1}.", "final_bn."))
        self.final_bn = norm_layer(norm, channels)
        self.fc = linear_or_none(channels, classes)
        start_from_scratch(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.first_pool(self.first_conv(x))
        maps = []
        for stage in self.layer_list:
            x = stage(x)
            maps.append(x)
        return [*maps[:-1], functional.relu(self.final_bn(x))]

    def head(self) -> nn.Module:
        return required(self.fc)


V2_PRESETS: Mapping[str, tuple[tuple[int, ...], int]] = {
    "resnet50_v2": ((3, 4, 6, 3), 64),
    "tiny_resnet50_v2": ((3, 4, 6, 3), 8),
}
RESNET22_PRESETS: Mapping[str, dict[str, int]] = {
    "resnet22": {},
    "resnet22_f32": {"width": 32},
    "tiny_resnet22": {"width": 8, "blocks": 1},
}


def resnet_v2(name: str, *, in_channels: int = 1, classes: int | None = None, norm: Norm = "bn") -> ResNetV2:
    """A pre-activation ResNet of `V2_PRESETS`: blocks a stage, width of the stem."""
    depths, width = V2_PRESETS[name]
    return ResNetV2(depths, width=width, in_channels=in_channels, norm=norm, classes=classes)


def resnet22(name: str, *, in_channels: int = 1, classes: int | None = None, **options: Any) -> ResNet22:
    """A ResNet-22 of `RESNET22_PRESETS`; `options` are those of `ResNet22`."""
    return ResNet22(**{**RESNET22_PRESETS[name], **options}, in_channels=in_channels, classes=classes)
