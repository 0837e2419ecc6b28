"""Every backbone by name: what a method's `config.trunk` may say."""

from collections.abc import Callable
from typing import Any

from ml.blocks import alexnet, convnext, densenet, inception_v3, inception_v4, mobilenet_v2, resnet, resnet_preact, vgg
from ml.blocks.backbone import Backbone

_FAMILIES: tuple[tuple[Callable[..., Backbone], tuple[str, ...]], ...] = (
    (resnet.resnet, tuple(resnet.PRESETS)),
    (resnet_preact.resnet_v2, tuple(resnet_preact.V2_PRESETS)),
    (resnet_preact.resnet22, tuple(resnet_preact.RESNET22_PRESETS)),
    (densenet.densenet, tuple(densenet.PRESETS)),
    (alexnet.alexnet, tuple(alexnet.PRESETS)),
    (vgg.vgg, tuple(vgg.PRESETS)),
    (inception_v3.inception_v3, tuple(inception_v3.PRESETS)),
    (inception_v4.inception_v4, tuple(inception_v4.PRESETS)),
    (mobilenet_v2.mobilenet_v2, tuple(mobilenet_v2.PRESETS)),
    (convnext.convnext, tuple(convnext.PRESETS)),
)
_MAKERS = {name: make for make, names in _FAMILIES for name in names}
NAMES: tuple[str, ...] = tuple(_MAKERS)


def backbone(name: str, *, in_channels: int = 1, classes: int | None = None, **options: Any) -> Backbone:
    """The backbone of that name, with its classifier where `classes` is given.

    `options` are those of the family: `norm`, `gate`, `strides`, `dilations` (resnet), `hidden` (alexnet, vgg), `aux`,
    `gate` (inception), `drop` (convnext). Raises KeyError for a name that is not in `NAMES`.
    """
    return _MAKERS[name](name, in_channels=in_channels, classes=classes, **options)
