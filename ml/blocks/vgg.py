"""VGG-16; names are torchvision's. Source: Simonyan and Zisserman, ICLR 2015, configuration D."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, required
from ml.blocks.dropout import HeldDropout
from ml.blocks.norm import start_without_norms

CELLS = 7
STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


class VGG16(Backbone):
    """(N, I, H, W) to the maps of the five stages before their pooling (strides 1 to 16), the last one pooled (32).

    `hidden` is the width of fc6 and fc7; None: the convolutions alone, and `embed` is the mean of the last map.
    """

    stem_name, classifier_names = "features.0", ("classifier.6.",)

    def __init__(
        self, *, width: int = 64, hidden: int | None = 4096, in_channels: int = 1, classes: int | None = None
    ) -> None:
        super().__init__()
        self.in_channels, self.hidden = in_channels, hidden
        layers: list[nn.Module] = []
        channels = in_channels
        self.widths, self.stage_prefixes = [], []
        for factor, convolutions in STAGES:
            first = len(layers)
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, width * factor, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width * factor
            self.stage_prefixes.append(tuple(f"features.{n}." for n in range(first, len(layers))))
            layers.append(nn.MaxPool2d(2))
            self.widths.append(channels)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential()
        if hidden is not None:
            self.stage_prefixes += [("classifier.0.",), ("classifier.3.",)]
            flat = channels * CELLS * CELLS
            self.classifier.extend([nn.Linear(flat, hidden), nn.ReLU(), HeldDropout(hidden, 0.5)])
            self.classifier.extend([nn.Linear(hidden, hidden), nn.ReLU(), HeldDropout(hidden, 0.5)])
        if classes is not None:
            self.classifier.add_module("6", nn.Linear(self.embed_width, classes))
        start_without_norms(self)

    @property
    def embed_width(self) -> int:
        return self.hidden or self.feature_width

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for module in self.features:
            if isinstance(module, nn.MaxPool2d):
                maps.append(x)
            x = module(x)
        return [*maps[:-1], x]

    def summary(self, last: Tensor) -> Tensor:
        if self.hidden is None:
            return last.mean((2, 3))
        x = functional.adaptive_avg_pool2d(last, CELLS).flatten(1)
        for layer in list(self.classifier)[:6]:
            x = layer(x)
        return x

    def head(self) -> nn.Module:
        return required(self.classifier._modules.get("6"))


PRESETS: Mapping[str, dict[str, Any]] = {"vgg16": {}, "tiny_vgg16": {"width": 8, "hidden": 64}}


def vgg(name: str, *, in_channels: int = 1, classes: int | None = None, **options: Any) -> VGG16:
    """A VGG of `PRESETS`; `options` are those of `VGG16`."""
    return VGG16(**{**PRESETS[name], **options}, in_channels=in_channels, classes=classes)
