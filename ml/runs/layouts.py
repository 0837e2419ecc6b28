"""Whose names a weights file has: torchvision's, timm's or our own, told by its keys; and the renaming to ours.

Our backbones have torchvision's names (timm's for Inception-v4), so most files need none. Each mapping was checked by
giving both networks the same weights and comparing their outputs.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Layout = Literal["torchvision", "timm", "own"]
Rename = Callable[[str], str | None]
PREFIXES = ("module.", "model.", "backbone.", "encoder.")
OWN_TRUNK = re.compile(r"^(?:(?P<stage>[^.]+)\.)?trunk\.(?P<name>.+)$")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, kw_only=True)
class Family:
    """Files of one family and layout: keys that only they have, and the name of ours for each of theirs.

    `colour` is the mean and sd of each channel that such networks were trained with. `renamer(keys)` makes the
    renaming; it may need to see all keys, to count blocks.
    """

    name: str
    layout: Layout
    signature: tuple[str, ...]
    renamer: Callable[[Collection[str]], Rename] | None = None
    colour: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET

    def fits(self, keys: Collection[str]) -> bool:
        """Whether these are the keys of such a file."""
        return all(key in keys for key in self.signature)


def without_prefixes(name: str) -> str:
    """The name without what wrappers and other trainers put before it."""
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name


def recognised(keys: Collection[str]) -> Family | None:
    """The family of a file by its keys, prefixes stripped; None for a network that is not one of ours."""
    return next((family for family in FAMILIES if family.fits(keys)), None)


def renaming(family: Family | None, keys: Collection[str]) -> Mapping[str, str]:
    """Their name to ours, for all keys."""
    if family is None or family.renamer is None:
        return {key: key for key in keys}
    rename = family.renamer(keys)
    return {key: rename(key) or key for key in keys}


def _rules(*rules: tuple[str, Callable[[re.Match[str]], str]]) -> Rename:
    """A renaming by the first pattern that fits the whole key."""
    compiled = [(re.compile(pattern), make) for pattern, make in rules]

    def rename(key: str) -> str | None:
        return next((make(match) for pattern, make in compiled if (match := pattern.fullmatch(key))), None)

    return rename


def _vgg(keys: Collection[str]) -> Rename:
    """The hidden layers are convolutions there; their weights are flattened when they are loaded."""
    return _rules(
        (r"pre_logits\.fc1\.(.+)", lambda m: f"classifier.0.{m[1]}"),
        (r"pre_logits\.fc2\.(.+)", lambda m: f"classifier.3.{m[1]}"),
        (r"head\.fc\.(.+)", lambda m: f"classifier.6.{m[1]}"),
    )


def _old_densenet(keys: Collection[str]) -> Rename:
    """Files of early torchvision: `norm.1` is `norm1`."""
    return _rules((r"(.*\.denselayer\d+\.(?:norm|conv))\.([12]\..+)", lambda m: f"{m[1]}{m[2]}"))


CONVNEXT_PARTS = {"conv_dw": "block.0", "norm": "block.2", "mlp.fc1": "block.3", "mlp.fc2": "block.5"}


def _convnext(keys: Collection[str]) -> Rename:
    """Stages are 2i + 1, the strides between them 2i."""
    block = r"stages\.(\d)\.blocks\.(\d+)\."
    return _rules(
        (r"stem\.(\d)\.(.+)", lambda m: f"features.0.{m[1]}.{m[2]}"),
        (r"stages\.(\d)\.downsample\.(.+)", lambda m: f"features.{2 * int(m[1])}.{m[2]}"),
        (block + "gamma", lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}.layer_scale"),
        (
            block + r"(conv_dw|norm|mlp\.fc1|mlp\.fc2)\.(.+)",
            lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}.{CONVNEXT_PARTS[m[3]]}.{m[4]}",
        ),
        (r"head\.norm\.(.+)", lambda m: f"classifier.0.{m[1]}"),
        (r"head\.fc\.(.+)", lambda m: f"classifier.2.{m[1]}"),
    )


MOBILENET_FIRST = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}
MOBILENET_OTHERS = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}


def _mobilenet(keys: Collection[str]) -> Rename:
    """timm groups the blocks by stage, torchvision counts them through."""
    blocks = sorted({(int(s), int(b)) for key in keys for s, b in re.findall(r"^blocks\.(\d+)\.(\d+)\.", key)})
    number = {f"{s}.{b}": n for n, (s, b) in enumerate(blocks, start=1)}
    last = len(blocks) + 1

    def block(m: re.Match[str]) -> str:
        n = number[m[1]]
        part = (MOBILENET_FIRST if n == 1 else MOBILENET_OTHERS).get(m[2])
        return f"features.{n}.conv.{part}.{m[3]}" if part else m[0]

    return _rules(
        (r"conv_stem\.(.+)", lambda m: f"features.0.0.{m[1]}"),
        (r"bn1\.(.+)", lambda m: f"features.0.1.{m[1]}"),
        (r"blocks\.(\d+\.\d+)\.(\w+)\.(.+)", block),
        (r"conv_head\.(.+)", lambda m: f"features.{last}.0.{m[1]}"),
        (r"bn2\.(.+)", lambda m: f"features.{last}.1.{m[1]}"),
        (r"classifier\.(weight|bias)", lambda m: f"classifier.1.{m[1]}"),
    )


def _resnet_v2(keys: Collection[str]) -> Rename:
    """`stages.0` is `layer1`, a norm `bn`."""
    block = r"stages\.(\d)\.blocks\.(\d+)\."
    return _rules(
        (r"stem\.conv\.(.+)", lambda m: f"conv1.{m[1]}"),
        (block + r"norm(\d\..+)", lambda m: f"layer{int(m[1]) + 1}.{m[2]}.bn{m[3]}"),
        (block + r"(conv\d\..+)", lambda m: f"layer{int(m[1]) + 1}.{m[2]}.{m[3]}"),
        (block + r"downsample\.conv\.(.+)", lambda m: f"layer{int(m[1]) + 1}.{m[2]}.downsample.0.{m[3]}"),
        (r"head\.fc\.(.+)", lambda m: f"fc.{m[1]}"),
    )


# The first that fits; timm's own names before those that it shares with torchvision.
FAMILIES: tuple[Family, ...] = (
    Family(name="vgg16", layout="timm", signature=("features.28.weight", "pre_logits.fc1.weight"), renamer=_vgg),
    Family(name="convnext", layout="timm", signature=("stages.0.blocks.0.conv_dw.weight",), renamer=_convnext),
    Family(
        name="mobilenet_v2", layout="timm", renamer=_mobilenet,
        signature=("conv_stem.weight", "conv_head.weight", "blocks.1.0.conv_pwl.weight"),
    ),
    Family(
        name="resnet_v2", layout="timm", renamer=_resnet_v2, colour=HALF,
        signature=("stem.conv.weight", "stages.0.blocks.0.norm1.weight"),
    ),
    Family(
        name="densenet", layout="torchvision", renamer=_old_densenet,
        signature=("features.denseblock1.denselayer1.norm.1.weight",),
    ),
    Family(name="densenet", layout="torchvision", signature=("features.denseblock1.denselayer1.norm1.weight",)),
    Family(name="inception_v3", layout="torchvision", signature=("Mixed_5b.branch1x1.conv.weight",), colour=HALF),
    Family(name="inception_v4", layout="timm", signature=("features.0.conv.weight",), colour=HALF),
    Family(name="mobilenet_v2", layout="torchvision", signature=("features.1.conv.0.0.weight",)),
    Family(name="convnext", layout="torchvision", signature=("features.1.0.layer_scale",)),
    Family(name="vgg16", layout="torchvision", signature=("features.0.weight", "features.28.weight")),
    Family(name="alexnet", layout="torchvision", signature=("features.0.weight", "features.10.weight")),
    Family(name="resnet22", layout="own", signature=("first_conv.weight", "layer_list.0.0.conv1.weight")),
    Family(name="resnet", layout="torchvision", signature=("bn1.weight", "layer1.0.conv1.weight")),
    Family(name="resnet_v2", layout="own", signature=("norm.weight", "layer1.0.conv1.weight")),
)  # fmt: skip
SHARED = ("resnet", "densenet", "inception_v3", "alexnet")  # named alike in torchvision and timm
