"""DenseNet; names are torchvision's. Source: Huang et al., CVPR 2017."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, linear_or_none, required
from ml.blocks.dense_layer import DenseBlock, Transition
from ml.blocks.norm import start_from_scratch


class DenseNet(Backbone):
    """(N, I, H, W) to the maps of the dense blocks before their transitions (strides 4, 8, 16, 32), the last normed."""

    stem_name, stem_norm_name, classifier_names = "features.conv0", "features.norm0", ("classifier.",)

    def __init__(
        self,
        layers: Sequence[int],
        *,
        growth: int = 32,
        width: int = 64,
        in_channels: int = 1,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(in_channels, width, 7, 2, 3, bias=False),
            norm0=nn.BatchNorm2d(width),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, 2, 1),
        )
        self.widths = []
        for n, depth in enumerate(layers, start=1):
            block = DenseBlock(width, depth, growth)
            parts[f"denseblock{n}"] = block
            width = block.width
            self.widths.append(width)
            if n < len(layers):
                parts[f"transition{n}"] = Transition(width)
                width //= 2
        self.stage_prefixes = [(f"features.denseblock{n}.", f"features.transition{n}.") for n in range(1, len(layers))]
        self.stage_prefixes.append((f"features.denseblock{len(layers)}.", "features.norm5."))
        parts["norm5"] = nn.BatchNorm2d(width)
        self.features = nn.Sequential(parts)
        self.classifier = linear_or_none(width, classes)
        start_from_scratch(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for module in self.features:
            x = module(x)
            if isinstance(module, DenseBlock):
                maps.append(x)
        return [*maps[:-1], functional.relu(x)]

    def head(self) -> nn.Module:
        return required(self.classifier)


PRESETS: Mapping[str, tuple[tuple[int, ...], int, int]] = {
    "densenet121": ((6, 12, 24, 16), 32, 64),
    "densenet201": ((6, 12, 48, 32), 32, 64),
    "tiny_densenet": ((2, 2, 2, 2), 8, 16),
}


def densenet(name: str, *, in_channels: int = 1, classes: int | None = None) -> DenseNet:
    """A DenseNet of `PRESETS`: layers of each block, growth, width of the stem."""
    layers, growth, width = PRESETS[name]
    return DenseNet(layers, growth=growth, width=width, in_channels=in_channels, classes=classes)
