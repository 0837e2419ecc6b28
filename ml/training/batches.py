"""Loaded samples and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch
from ml.pixels.augment import Variation
from ml.training.targets import MAPS, RAGGED
from ml.training.varying import vary

PAD_TO = 32


@dataclass(frozen=True)
class Undone:
    """Variation that a slot's pixels go through where the batch is put together, by `ml.training.varying`."""

    variation: Variation
    air: bool


@dataclass(frozen=True)
class Item:
    """One sample as it goes into a batch.

    Per slot: x (1, H, W), breast (1, H, W) bool, present (False where the slot is empty), affine (3, 3) source pixels
    to the pixels of x, mm_per_px. targets by name. Where there is something `undone`, for every slot, affines, scales
    and targets are those of the pixels as they will be.
    """

    id: str
    x: tuple[Tensor, ...]
    present: tuple[bool, ...]
    affines: tuple[np.ndarray, ...]
    targets: Mapping[str, Tensor]
    breast: tuple[Tensor, ...] = ()
    mm_per_px: tuple[float, ...] = ()
    patient: str = field(default="")
    undone: tuple[Undone, ...] = ()


def collate(items: Sequence[Item], device: torch.device, *, pad_to: int = PAD_TO) -> Batch:
    """A batch on the device, padded to its largest image, rounded up to a multiple of `pad_to`."""
    slots = len(items[0].x)
    rows = _rounded(max(x.shape[-2] for item in items for x in item.x), pad_to)
    cols = _rounded(max(x.shape[-1] for item in items for x in item.x), pad_to)
    pixels = torch.zeros(len(items), slots, 1, rows, cols, device=device)
    valid = torch.zeros(len(items), slots, 1, rows, cols, dtype=torch.bool, device=device)
    breast = torch.zeros_like(valid)
    for n, item in enumerate(items):
        for v, x in enumerate(item.x):
            place = (n, v, slice(None), slice(x.shape[-2]), slice(x.shape[-1]))
            own = item.breast[v] if item.breast else None
            if item.undone:
                assert own is not None
                x, own = _done(x.to(device), own.to(device), item.undone[v])
            pixels[place] = x
            valid[place] = True
            if own is not None:
                breast[place] = own
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
    )


def _done(x: Tensor, breast: Tensor, undone: Undone) -> tuple[Tensor, Tensor]:
    moved, own = vary(x[0], breast[0], undone.variation, air=undone.air)
    return moved[None], own[None]


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
