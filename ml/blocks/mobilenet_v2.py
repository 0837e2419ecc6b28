"""MobileNetV2; names are torchvision's. Source: Sandler et al., CVPR 2018, table 2."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ml.blocks.backbone import Backbone, between, required
from ml.blocks.dropout import HeldDropout
from ml.blocks.inverted_residual import InvertedResidual, conv_norm_relu6
from ml.blocks.norm import start_from_scratch

Row = tuple[int, int, int, int]
PLAN: tuple[Row, ...] = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
STEM, LAST, DROPOUT = 32, 1280, 0.2


def scaled(channels: float, factor: float) -> int:
    """The width times the factor, to the nearest 8, never below 8 nor below nine tenths of what was asked."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class MobileNetV2(Backbone):
    """(N, I, H, W) to the maps at strides 2, 4, 8, 16 and 32, the last one of the final 1x1 convolution.

    `plan` holds a row (expansion, channels, blocks, stride of the first) a stage; widths are multiplied by `factor`,
    the final 1280 only by a factor above 1. `last` replaces the final width. The classifier has dropout 0.2 before it.
    """

    stem_name, stem_norm_name, classifier_names = "features.0.0", "features.0.1", ("classifier.",)

    def __init__(
        self,
        *,
        factor: float = 1.0,
        plan: Sequence[Row] = PLAN,
        last: int = LAST,
        in_channels: int = 1,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        channels = scaled(STEM, factor)
        layers: list[nn.Module] = [conv_norm_relu6(in_channels, channels, 3, 2)]
        self._ends: list[int] = []
        self.widths = []
        for expansion, width, blocks, first_stride in plan:
            for n in range(blocks):
                stride = first_stride if n == 0 else 1
                if stride == 2:  # the map before a stride is the finest of its kind
                    self._ends.append(len(layers) - 1)
                    self.widths.append(channels)
                layers.append(InvertedResidual(channels, scaled(width, factor), stride, expansion))
                channels = scaled(width, factor)
        final = scaled(last, max(1.0, factor))
        layers.append(conv_norm_relu6(channels, final, 1))
        self._ends.append(len(layers) - 1)
        self.widths.append(final)
        self.stage_prefixes = between(1, self._ends)
        self.features = nn.Sequential(*layers)
        self.classifier = (
            None if classes is None else nn.Sequential(HeldDropout(final, DROPOUT), nn.Linear(final, classes))
        )
        start_from_scratch(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for n, layer in enumerate(self.features):
            x = layer(x)
            if n in self._ends:
                maps.append(x)
        return maps

    def head(self) -> nn.Module:
        return required(self.classifier)


PRESETS: Mapping[str, float] = {"mobilenet_v2": 1.0, "mobilenet_v2_x1.4": 1.4, "tiny_mobilenet_v2": 0.25}


def mobilenet_v2(name: str, *, in_channels: int = 1, classes: int | None = None) -> MobileNetV2:
    """A MobileNetV2 of `PRESETS`, which are factors of its widths."""
    return MobileNetV2(factor=PRESETS[name], in_channels=in_channels, classes=classes)
