"""Whose trunk is taught: a method's, prepared and normed as that method does it, so that what is lent fits exactly."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ml.blocks.backbone import Backbone
from ml.methods import get
from ml.methods.aims import aim_of
from ml.runs.errors import invalid

USUAL_NORM = (0.449, 0.226)


@dataclass(frozen=True)
class Donee:
    """The method as it stands at a size: its pixels, and how its trunk is made and fed."""

    method: str
    size: str
    pixels: dict[str, Any]
    side: int | None


def donee(name: str, size: str) -> Donee:
    """Raises RunRefused (exit 2): no such method or size, or one without a backbone called trunk."""
    method = get(name)
    if size not in method.sizes:
        raise invalid("size_unknown", f"{name} has no size {size!r}")
    with torch.device("meta"):
        network_of(name, size)
    config = method.plan(method.configured(size, {}), [])
    pixels = dict(method.reads(config, aim_of(method, config, [])).pixels)
    wanted = pixels.get("size")
    return Donee(name, size, pixels, min(wanted) if wanted else None)


def network_of(name: str, size: str) -> nn.Module:
    """The first network of a method that has a backbone called trunk. Raises RunRefused (exit 2, `init_mismatch`)."""
    method = get(name)
    config = method.plan(method.configured(size, {}), [])
    for stage in method.stages(config, aim_of(method, config, [])):
        network = stage.build() if stage.kind == "torch" else None
        if isinstance(getattr(network, "trunk", None), Backbone):
            assert network is not None
            return network
    raise invalid("init_mismatch", f"{name} has no backbone that could be taught beforehand")


class Trunk(nn.Module):
    """The base of all kinds: the method's `trunk`, fed images (B, 1, H, W) in [0, 1]; `steps`: how many are planned."""

    spread: Tensor
    steps = 0

    def __init__(self, name: str, size: str) -> None:
        super().__init__()
        network: Any = network_of(name, size)
        self.trunk: Backbone = network.trunk
        self.norm = getattr(network, "input_norm", None) or USUAL_NORM
        # How far apart vectors of a batch lie, 1 where they point everywhere, 0 where all are one: the collapse alarm.
        self.register_buffer("spread", torch.ones(()))

    def maps(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to the last map (B, C, h, w)."""
        mean, sd = self.norm
        normed = ((x - mean) / sd).expand(-1, self.trunk.in_channels, -1, -1)
        last: Tensor = self.trunk(normed)[-1]
        return last

    def embed(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, D), what a probe reads."""
        return self.maps(x).mean((2, 3)).float()
