"""Loaded samples and batches of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch
from ml.training.targets import MAPS, RAGGED

PAD_TO = 32


@dataclass(frozen=True)
class Item:
    """One sample as it goes into a batch.

    Per slot: x (1, H, W), breast (1, H, W) bool, present (False where the slot is empty), affine (3, 3) source pixels
    to the pixels of x, mm_per_px. targets by name.
    """

    id: str
    x: tuple[Tensor, ...]
    present: tuple[bool, ...]
    affines: tuple[np.ndarray, ...]
    targets: Mapping[str, Tensor]
    breast: tuple[Tensor, ...] = ()
    mm_per_px: tuple[float, ...] = ()
    patient: str = field(default="")


def collate(items: Sequence[Item], device: torch.device, *, pad_to: int = PAD_TO) -> Batch:
    """Pad to the largest image of the batch, rounded up to a multiple of `pad_to`, and move to the device."""
    slots = len(items[0].x)
    rows = _rounded(max(x.shape[-2] for item in items for x in item.x), pad_to)
    cols = _rounded(max(x.shape[-1] for item in items for x in item.x), pad_to)
    pixels = torch.zeros(len(items), slots, 1, rows, cols)
    valid = torch.zeros(len(items), slots, 1, rows, cols, dtype=torch.bool)
    breast = torch.zeros_like(valid)
    for n, item in enumerate(items):
        for v, x in enumerate(item.x):
            pixels[n, v, :, : x.shape[-2], : x.shape[-1]] = x
            valid[n, v, :, : x.shape[-2], : x.shape[-1]] = True
            if item.breast:
                breast[n, v, :, : x.shape[-2], : x.shape[-1]] = item.breast[v]
    scales = [item.mm_per_px or (1.0,) * slots for item in items]
    return Batch(
        x=pixels.to(device, non_blocking=True),
        view_mask=torch.tensor([item.present for item in items], device=device),
        valid=valid.to(device, non_blocking=True),
        breast=breast.to(device, non_blocking=True),
        affine=torch.from_numpy(np.array([item.affines for item in items], dtype=np.float64)),
        mm_per_px=torch.tensor(scales, device=device),
        targets=_stacked([item.targets for item in items], (rows, cols), device),
        ids=tuple(item.id for item in items),
        patients=tuple(item.patient for item in items),
    )


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
