"""Loaded samples and batches of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch, Origin
from ml.pixels.augment import Variation
from ml.pixels.features import FeatureCache
from ml.training.targets import MAPS, RAGGED
from ml.training.varying import vary

PAD_TO = 32


Cut = Callable[[Tensor, Mapping[str, Tensor]], tuple[Tensor, Mapping[str, Tensor]]]


@dataclass(frozen=True)
class Undone:
    """What the pixels of an item have yet to go through, where its batch is put together.

    variations: of each slot, by `ml.training.varying`; air: of each slot, whether what is outside the breast stays.
    cut(x (1, H, W), targets): a part of the first slot, with the targets in its pixels.
    """

    variations: tuple[Variation, ...]
    air: tuple[bool, ...]
    cut: Cut | None = None


@dataclass(frozen=True)
class Item:
    """One sample as it goes into a batch.

    Per slot: x (1, H, W), breast (1, H, W) bool, present (False where the slot is empty), affine (3, 3) source pixels
    to the pixels of x, mm_per_px, key (what its pixels are known by in every run, or None). targets by name. Where
    something is `undone`, affines, scales and targets are those of the pixels once they are varied.
    """

    id: str
    x: tuple[Tensor, ...]
    present: tuple[bool, ...]
    affines: tuple[np.ndarray, ...]
    targets: Mapping[str, Tensor]
    breast: tuple[Tensor, ...] = ()
    mm_per_px: tuple[float, ...] = ()
    patient: str = field(default="")
    undone: Undone | None = None
    keys: tuple[str | None, ...] = ()


def collate(
    items: Sequence[Item], device: torch.device, *, pad_to: int = PAD_TO, features: FeatureCache | None = None
) -> Batch:
    """A batch on the device, padded to its largest image, rounded up to a multiple of `pad_to`.

    features: where a method may keep what it computes of the images.
    """
    items = _finished(items, device)
    slots = len(items[0].x)
    rows = _rounded(max(x.shape[-2] for item in items for x in item.x), pad_to)
    cols = _rounded(max(x.shape[-1] for item in items for x in item.x), pad_to)
    pixels = torch.zeros(len(items), slots, 1, rows, cols, device=device)
    valid = torch.zeros(len(items), slots, 1, rows, cols, dtype=torch.bool, device=device)
    breast = torch.zeros_like(valid)
    for n, item in enumerate(items):
        for v, x in enumerate(item.x):
            place = (n, v, slice(None), slice(x.shape[-2]), slice(x.shape[-1]))
            pixels[place] = x
            valid[place] = True
            if item.breast:
                breast[place] = item.breast[v]
    scales = [item.mm_per_px or (1.0,) * slots for item in items]
    return Batch(
        x=pixels,
        view_mask=torch.tensor([item.present for item in items], device=device),
        valid=valid,
        breast=breast,
        affine=torch.from_numpy(np.array([item.affines for item in items], dtype=np.float64)),
        mm_per_px=torch.tensor(scales, device=device),
        targets=_stacked([item.targets for item in items], (rows, cols), device),
        ids=tuple(item.id for item in items),
        patients=tuple(item.patient for item in items),
        origin=Origin(pixels, breast, tuple(item.keys or (None,) * slots for item in items), features),
    )


def _finished(items: Sequence[Item], device: torch.device) -> list[Item]:
    """The items, on the device where something of them was undone; images of one size are varied together."""
    alike: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for n, item in enumerate(items):
        if item.undone is not None:
            for v, x in enumerate(item.x):
                alike[tuple(x.shape)].append((n, v))
    done: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    for places in alike.values():
        own = [(items[n], items[n].undone, v) for n, v in places]
        varied = vary(
            torch.cat([item.x[v].to(device, non_blocking=True) for item, _, v in own]),
            torch.cat([item.breast[v].to(device, non_blocking=True) for item, _, v in own]),
            [undone.variations[v] for _, undone, v in own if undone],
            [undone.air[v] for _, undone, v in own if undone],
        )
        done |= dict(zip(places, zip(*varied, strict=True), strict=True))
    return [item if item.undone is None else _cut(item, item.undone, done, n) for n, item in enumerate(items)]


def _cut(item: Item, undone: Undone, done: Mapping[tuple[int, int], tuple[Tensor, Tensor]], n: int) -> Item:
    x, breast = ([done[n, v][k][None] for v in range(len(item.x))] for k in (0, 1))
    targets = item.targets
    if undone.cut is not None:
        x[0], targets = undone.cut(x[0], targets)
        breast[0] = x[0] > 0
    return replace(item, x=tuple(x), breast=tuple(breast), targets=targets, undone=None)


def _rounded(n: int, to: int) -> int:
    return -(-n // to) * to


def _stacked(targets: Sequence[Mapping[str, Tensor]], size: tuple[int, int], device: torch.device) -> dict[str, Any]:
    """Targets of one shape are stacked, maps padded with 0; lists of boxes stay lists."""
    stacked: dict[str, Any] = {}
    for name in targets[0]:
        values = [target[name].to(device) for target in targets]
        if name in RAGGED:
            stacked[name] = values
        else:
            stacked[name] = torch.stack([_padded(value, size) for value in values] if name in MAPS else values)
    return stacked


def _padded(value: Tensor, size: tuple[int, int]) -> Tensor:
    whole = value.new_zeros(size)
    whole[: value.shape[-2], : value.shape[-1]] = value
    return whole
