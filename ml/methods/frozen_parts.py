"""The frozen encoder of `frozen_mil`, and what it said of the tiles of an image, kept for later runs."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from ml.blocks.backbones import backbone
from ml.blocks.mil_pool import MILPool
from ml.methods.answering import binary
from ml.methods.spec import Batch
from ml.pixels.features import Arrays, feature_key
from ml.pixels.tiles import MIN_BREAST, places, worth_reading

TILES_AT_ONCE = 32
MEMORY_BYTES = 512 * 2**20
PRETRAIN_SHARE = 0.1
CODE = "frozen_mil/1"
"""Raised by any change of code that changes what an encoder says of a tile."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`trunk`: a backbone of at most 1024 features. `heads`: how many are trained beside each other."""

    rows_px: int = 2048
    cols_px: int = 1024
    target_spacing_mm: float = 0.1
    tile_px: int = 256
    trunk: str = "densenet121"
    encoder: Literal["pretrain", "given"] = "pretrain"
    hidden: int = 128
    view_width: int = 16
    heads: int = 5
    encoder_batch: int = 8
    encoder_steps: int | None = None
    encoder_epochs: float = 20
    encoder_lr: float = 3e-4
    batch: int = 8
    steps: int | None = None
    epochs: float = 50
    lr: float = 1e-3


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "rows_px": 128,
        "cols_px": 96,
        "target_spacing_mm": 1.6,
        "tile_px": 32,
        "trunk": "tiny_densenet",
        "encoder_steps": 200,
        "encoder_lr": 8e-3,
        "steps": 300,
    },
    "base": {"trunk": "resnet18", "rows_px": 1024, "cols_px": 512, "target_spacing_mm": 0.2, "tile_px": 128},
    "large": {},
}


class Encoder(nn.Module):
    """Images (B, 1, 1, H, W) in [0, 1] to logits (B, 2) = [0, z] of a finding; `embed` describes tiles."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = backbone(config.trunk)
        self.head = nn.Linear(self.trunk.embed_width, 1)
        self.top = MILPool("top", share=PRETRAIN_SHARE)

    def normed(self, x: Tensor) -> Tensor:
        mean, sd = self.input_norm
        return (x - mean) / sd

    def embed(self, tiles: Tensor) -> Tensor:
        """(N, 1, T, T) in [0, 1] to (N, D)."""
        return self.trunk.embed(self.normed(tiles))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        cells = self.trunk(self.normed(x[:, 0]))[-1].flatten(2).movedim(1, 2)
        return {"logits": binary(self.top(self.head(cells)[..., 0]))}


class Descriptions:
    """What encoders said of the tiles of images: those asked for last in memory, all on disk where a batch has one.

    looked: how many images an encoder had to look at.
    """

    def __init__(self, limit_bytes: int = MEMORY_BYTES) -> None:
        self.limit_bytes, self.looked = limit_bytes, 0
        self._kept: OrderedDict[str, Arrays] = OrderedDict()
        self._bytes = 0

    def of(self, encoder: Encoder, batch: Batch, exam: int, slot: int, config: Config) -> Arrays:
        """index (K,): which of the view's tiles show breast; features (K, D) float32."""
        image, cache = batch.known_as(exam, slot), batch.origin.features if batch.origin else None
        if image is None:
            return self._looked_at(encoder, batch, exam, slot, config)
        key = feature_key(image, **_depends(encoder, batch.x, config))
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        found = cache.read(key) if cache else None
        if found is None:
            found = self._looked_at(encoder, batch, exam, slot, config)
            if cache:
                cache.write(key, found)
        self._keep(key, found)
        return found

    def _looked_at(self, encoder: Encoder, batch: Batch, exam: int, slot: int, config: Config) -> Arrays:
        self.looked += 1
        return described(encoder, batch.x[exam, slot], batch.breast[exam, slot, 0], config.tile_px)

    def _keep(self, key: str, found: Arrays) -> None:
        self._kept[key] = found
        self._bytes += _bytes(found)
        while self._bytes > self.limit_bytes and len(self._kept) > 1:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])


def _bytes(arrays: Arrays) -> int:
    return sum(own.nbytes for own in arrays.values())


DESCRIBED = Descriptions()

Stamp = tuple[tuple[int, int], ...]
_VERSIONS: WeakKeyDictionary[nn.Module, tuple[Stamp, str]] = WeakKeyDictionary()


def version_of(network: nn.Module) -> str:
    """SHA-256 of weights and statistics; hashed again only where one of them has moved or was written to since."""
    stamp = tuple((own.data_ptr(), own._version) for own in (*network.parameters(), *network.buffers()))
    if (known := _VERSIONS.get(network)) is not None and known[0] == stamp:
        return known[1]
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        plain = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() + plain.numpy().tobytes())
    _VERSIONS[network] = stamp, digest.hexdigest()
    return digest.hexdigest()


def _depends(encoder: Encoder, x: Tensor, config: Config) -> dict[str, Any]:
    """What the description of an image depends on beside its pixels; the encoder's last layer has no part in it.

    Devices and precisions differ in the last digits.
    """
    device = x.device.type
    half = torch.is_autocast_enabled(device)
    return {
        "code": CODE,
        "encoder": version_of(encoder.trunk),
        "trunk": config.trunk,
        "norm": encoder.input_norm,
        "tile_px": config.tile_px,
        "least_breast": MIN_BREAST,
        "size": tuple(x.shape[-2:]),
        "device": device,
        "precision": str(torch.get_autocast_dtype(device)) if half else "float32",
    }


def described(encoder: Encoder, image: Tensor, breast: Tensor, tile: int) -> Arrays:
    """What the encoder says of the tiles of an image (1, H, W) that show breast (H, W); see `Descriptions.of`."""
    mask, features = breast.cpu().numpy(), [torch.zeros(0, encoder.trunk.embed_width)]
    there = [
        (n, y, x)
        for n, (y, x) in enumerate(places((mask.shape[0], mask.shape[1]), tile, tile // 2))
        if worth_reading(mask, y, x, tile)
    ]
    for start in range(0, len(there), TILES_AT_ONCE):
        tiles = torch.stack([image[:, y : y + tile, x : x + tile] for _, y, x in there[start : start + TILES_AT_ONCE]])
        features.append(encoder.embed(tiles).float().cpu())
    return {"index": np.array([n for n, _, _ in there], np.int64), "features": torch.cat(features).numpy()}
