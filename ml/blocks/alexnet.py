"""AlexNet: the one-tower net of torchvision, and the two-group net with LRN of the Caffe reference model.

Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012 (two groups,
local response normalisation: n 5, alpha 1e-4, beta 0.75, k 1); Krizhevsky 2014 (one tower). Names of the one-tower
net are torchvision's; the Caffe net has the same scheme, its LRN has no parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone, required
from ml.blocks.dropout import HeldDropout
from ml.blocks.norm import start_without_norms


@dataclass(frozen=True, kw_only=True)
class AlexNetPlan:
    """Widths of conv1-5, size, stride and padding of conv1, groups of conv2, conv4 and conv5, width of fc6 and fc7.

    `cells` is the side of the map that fc6 reads.
    """

    widths: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256)
    kernel: int = 11
    stride: int = 4
    padding: int = 2
    groups: int = 1
    lrn: bool = False
    hidden: int | None = 4096
    cells: int = 6


PRESETS: Mapping[str, AlexNetPlan] = {
    "alexnet": AlexNetPlan(),
    "tiny_alexnet": AlexNetPlan(widths=(8, 24, 48, 32, 32), hidden=64),
    "alexnet_caffe": AlexNetPlan(widths=(96, 256, 384, 384, 256), padding=0, groups=2, lrn=True),
    "base_alexnet_caffe": AlexNetPlan(widths=(48, 128, 192, 192, 128), padding=0, groups=2, lrn=True, hidden=1024),
    "tiny_alexnet_caffe": AlexNetPlan(
        widths=(12, 32, 48, 48, 32), kernel=7, stride=2, padding=0, groups=2, lrn=True, hidden=64, cells=3
    ),
}


class AlexNet(Backbone):
    """(N, I, H, W) to one map, that after the last pooling: 256 x 6 x 6 at 224 (one tower) or 227 px (Caffe).

    `embed` gives fc7, or the mean of the map where `plan.hidden` is None. Dropout 0.5 before fc6 and fc7 (one tower)
    or after them (Caffe) can be held for Monte-Carlo passes. Other maps are pooled to that size.
    """

    stem_name, classifier_names = "features.0", ("classifier.6.",)

    def __init__(self, plan: AlexNetPlan, *, in_channels: int = 1, classes: int | None = None) -> None:
        super().__init__()
        self.in_channels, self.plan = in_channels, plan
        self.features = nn.Sequential(*_features(plan, in_channels))
        convolutions = [n for n, module in enumerate(self.features) if isinstance(module, nn.Conv2d)]
        self.stage_prefixes = [*((f"features.{n}.",) for n in convolutions[1:]), ("classifier.1.",), ("classifier.4.",)]
        if plan.lrn:
            self.stage_prefixes[-2:] = [("classifier.0.",), ("classifier.3.",)]
        last = plan.widths[-1]
        self.widths = [last]
        hidden = plan.hidden
        self.classifier = nn.Sequential()
        if hidden is not None:
            flat = last * plan.cells**2
            first, second = nn.Linear(flat, hidden), nn.Linear(hidden, hidden)
            dropped = [hidden, hidden] if plan.lrn else [flat, hidden]
            drops = [HeldDropout(width, 0.5) for width in dropped]
            caffe: list[nn.Module] = [first, nn.ReLU(), drops[0], second, nn.ReLU(), drops[1]]
            one_tower: list[nn.Module] = [drops[0], first, nn.ReLU(), drops[1], second, nn.ReLU()]
            self.classifier.extend(caffe if plan.lrn else one_tower)
        if classes is not None:
            self.classifier.add_module("6", nn.Linear(self.embed_width, classes))
        start_without_norms(self)

    @property
    def embed_width(self) -> int:
        return self.plan.hidden or self.feature_width

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.features(x)]

    def summary(self, last: Tensor) -> Tensor:
        if self.plan.hidden is None:
            return last.mean((2, 3))
        x = functional.adaptive_avg_pool2d(last, self.plan.cells).flatten(1)
        for layer in list(self.classifier)[:6]:
            x = layer(x)
        return x

    def head(self) -> nn.Module:
        return required(self.classifier._modules.get("6"))


def _features(plan: AlexNetPlan, in_channels: int) -> list[nn.Module]:
    a, b, c, d, e = plan.widths

    def relu_then_lrn() -> list[nn.Module]:
        lrn = [nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)] if plan.lrn else []
        return [nn.ReLU(inplace=True), *lrn]

    return [
        nn.Conv2d(in_channels, a, plan.kernel, plan.stride, plan.padding),
        *relu_then_lrn(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(a, b, 5, padding=2, groups=plan.groups),
        *relu_then_lrn(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(b, c, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c, d, 3, padding=1, groups=plan.groups),
        nn.ReLU(inplace=True),
        nn.Conv2d(d, e, 3, padding=1, groups=plan.groups),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
    ]


def alexnet(name: str, *, in_channels: int = 1, classes: int | None = None, **options: Any) -> AlexNet:
    """An AlexNet of `PRESETS`; `options` replace fields of its plan, e.g. hidden=None for the convolutions alone."""
    return AlexNet(replace(PRESETS[name], **options), in_channels=in_channels, classes=classes)
