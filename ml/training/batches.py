"""Loaded samples and batches of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch

PAD_TO = 32


@dataclass(frozen=True)
class Item:
    """One sample as it goes into a batch.

    x per slot (1, H, W); present per slot, False where the slot is empty; affine per slot (3, 3), source pixels to the
    pixels of x; targets by name.
    """

    id: str
    x: tuple[Tensor, ...]
    present: tuple[bool, ...]
    affines: tuple[np.ndarray, ...]
    targets: Mapping[str, Tensor]


def collate(items: Sequence[Item], device: torch.device, *, channels_last: bool = False) -> Batch:
    """Pad to the largest image of the batch, rounded up to a multiple of 32, and move to the device."""
    slots = len(items[0].x)
    rows = _rounded(max(x.shape[-2] for item in items for x in item.x))
    cols = _rounded(max(x.shape[-1] for item in items for x in item.x))
    pixels = torch.zeros(len(items), slots, 1, rows, cols)
    valid = torch.zeros(len(items), slots, 1, rows, cols, dtype=torch.bool)
    for n, item in enumerate(items):
        for v, x in enumerate(item.x):
            pixels[n, v, :, : x.shape[-2], : x.shape[-1]] = x
            valid[n, v, :, : x.shape[-2], : x.shape[-1]] = True
    return Batch(
        x=pixels.to(device, non_blocking=True),
        view_mask=torch.tensor([item.present for item in items], device=device),
        valid=valid.to(device, non_blocking=True),
        targets=_stacked([item.targets for item in items], device),
        ids=tuple(item.id for item in items),
    )


def _rounded(n: int) -> int:
    return -(-n // PAD_TO) * PAD_TO


RAGGED = ("boxes", "labels", "ignore")


def _stacked(targets: Sequence[Mapping[str, Tensor]], device: torch.device) -> dict[str, Any]:
    """Targets of one shape are stacked; lists of boxes stay lists."""
    stacked: dict[str, Any] = {}
    for name in targets[0]:
        values = [target[name].to(device) for target in targets]
        stacked[name] = values if name in RAGGED else torch.stack(values)
    return stacked
