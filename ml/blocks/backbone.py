"""What every backbone offers: maps, one vector, maybe the classifier of its paper.

The module names are torchvision's (timm's where torchvision has no such network), so that a weights file loads
without renaming. The class attributes say where the stem and the classifier are, for the conversion of a colour stem
and for the report on a loaded file (`ml.training.weights_file`).
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn


class Backbone(nn.Module):
    """forward(x (N, I, H, W)) gives maps, finest first; the last has `feature_width` channels.

    `stem_name` is the first convolution, `stem_norm_name` the BatchNorm that can take up a shift of its output (None:
    the convolution has a bias), `classifier_names` are the prefixes of what a transfer leaves behind,
    `additions` those of parts that a published file lacks, `stage_prefixes` those of each stage's weights.
    """

    stem_name: ClassVar[str]
    stem_norm_name: ClassVar[str | None] = None
    classifier_names: ClassVar[tuple[str, ...]]
    additions: ClassVar[tuple[str, ...]] = ("gates.",)
    widths: list[int]
    in_channels: int
    stage_prefixes: list[tuple[str, ...]]

    @property
    def feature_width(self) -> int:
        """Channels of the last map."""
        return self.widths[-1]

    @property
    def embed_width(self) -> int:
        """Length of the vector that `embed` gives; that of the last map unless hidden layers follow it."""
        return self.feature_width

    def stage_of(self, name: str) -> int:
        """How deep a weight lies: 0 in the stem, then the number of its stage; for rates that fall with depth."""
        found = [n for n, prefixes in enumerate(self.stage_prefixes, start=1) if name.startswith(prefixes)]
        return found[0] if found and not name.startswith(f"{self.stem_name}.") else 0

    def summary(self, last: Tensor) -> Tensor:
        """The last map (N, C, h, w) to the vector before the classifier, (N, embed_width)."""
        return last.mean((2, 3))

    def embed(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, embed_width)."""
        return self.summary(self(x)[-1])

    def head(self) -> nn.Module:
        """The last layer, vector to logits. Raises TypeError for a trunk that was built without `classes`."""
        raise NotImplementedError

    def logits(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, classes)."""
        return self.head()(self.embed(x))


def between(first: int, ends: Sequence[int]) -> list[tuple[str, ...]]:
    """Prefixes of `features.n` for stages that end at these numbers, the first of which begins at `first`."""
    starts = [first, *(end + 1 for end in ends[:-1])]
    return [tuple(f"features.{n}." for n in range(a, b + 1)) for a, b in zip(starts, ends, strict=True)]


def linear_or_none(width: int, classes: int | None) -> nn.Linear | None:
    """The classifier of a backbone, absent where no classes are named."""
    return None if classes is None else nn.Linear(width, classes)


def required(head: nn.Module | None) -> nn.Module:
    """A classifier that must be there."""
    if head is None:
        raise TypeError("this trunk was built without classes")
    return head
