"""ConvNeXt; names are torchvision's. Source: Liu et al., "A ConvNet for the 2020s", CVPR 2022."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ml.blocks.backbone import Backbone, between, required
from ml.blocks.convnext_block import LAYER_SCALE, ChannelNorm, ConvNeXtBlock

STEM_PATCH = 4


class ConvNeXt(Backbone):
    """(N, I, H, W) to the maps of its stages at strides 4, 8, 16, 32; `embed` is the normed mean of the last.

    The stem is a 4x4 convolution at stride 4; between stages a norm and a 2x2 convolution at stride 2. `drop` is the
    stochastic depth of the last block; it grows linearly from 0 at the first. The final norm belongs to the trunk
    (`classifier.0`, as in torchvision).
    """

    stem_name, classifier_names = "features.0.0", ("classifier.2.",)

    def __init__(
        self,
        depths: Sequence[int],
        dims: Sequence[int],
        *,
        drop: float = 0.1,
        layer_scale: float = LAYER_SCALE,
        in_channels: int = 1,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.widths = in_channels, list(dims)
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(in_channels, dims[0], STEM_PATCH, STEM_PATCH), ChannelNorm(dims[0]))
        ]
        total, before = sum(depths), 0
        for stage, (depth, width) in enumerate(zip(depths, dims, strict=True)):
            if stage:
                layers.append(nn.Sequential(ChannelNorm(dims[stage - 1]), nn.Conv2d(dims[stage - 1], width, 2, 2)))
            rates = [drop * (before + n) / max(1, total - 1) for n in range(depth)]
            layers.append(nn.Sequential(*(ConvNeXtBlock(width, drop=rate, layer_scale=layer_scale) for rate in rates)))
            before += depth
        # A stride belongs to the stage that it opens; the final norm to the last one.
        self.stage_prefixes = between(1, range(1, 2 * len(dims), 2))
        self.stage_prefixes[-1] += ("classifier.0.",)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(ChannelNorm(dims[-1]), nn.Flatten(1))
        if classes is not None:
            self.classifier.append(nn.Linear(dims[-1], classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for n, layer in enumerate(self.features):
            x = layer(x)
            if n % 2:
                maps.append(x)
        return maps

    def summary(self, last: Tensor) -> Tensor:
        return self.classifier[:2](last.mean((2, 3), keepdim=True))

    def head(self) -> nn.Module:
        return required(self.classifier._modules.get("2"))


PRESETS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "convnext_t": ((3, 3, 9, 3), (96, 192, 384, 768), 0.1),
    "convnext_s": ((3, 3, 27, 3), (96, 192, 384, 768), 0.4),
    "tiny_convnext": ((1, 1, 2, 1), (16, 32, 64, 128), 0.0),
}


def convnext(name: str, *, in_channels: int = 1, classes: int | None = None, drop: float | None = None) -> ConvNeXt:
    """A ConvNeXt of `PRESETS`: depths, widths, and the stochastic depth that `drop` replaces."""
    depths, dims, own = PRESETS[name]
    return ConvNeXt(depths, dims, drop=own if drop is None else drop, in_channels=in_channels, classes=classes)
