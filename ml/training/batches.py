"""Loaded samples and batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ml.methods.spec import Batch, Origin, Part
from ml.pixels.features import FeatureCache
from ml.training.targets import MAPS, RAGGED
from ml.training.varying import Late, vary

PAD_TO = 32


@dataclass(frozen=True)
class Undone:
    """What the pixels of an item have yet to go through, where its batch is put together.

    late: of each slot, how it is varied. part: of the first slot, what is seen of it, where that is not all.
    """

    late: tuple[Late, ...]
    part: Part | None = None


@dataclass(frozen=True)
class Item:
    """One sample as it goes into a batch.

    Per slot: x (1, H, W), breast (1, H, W) bool, present (False where the slot is empty), affine (3, 3) source pixels
    to the pixels of x, mm_per_px, key (what its pixels are known by in every run, or None). targets by name. Where
    something is `undone`, x and breast are the sources of what is `late`; affines, scales and targets are those of the
    pixels once they are varied.
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
    items = _parts_taken(items, device)
    slots = len(items[0].x)
    sizes = [[(x.shape[-2], x.shape[-1]) for x in item.x] for item in items]
    rows, cols = (_rounded(max(size[k] for own in sizes for size in own), pad_to) for k in (0, 1))
    pixels, breast = _framed(items, (rows, cols), device)
    scales = [item.mm_per_px or (1.0,) * slots for item in items]
    return Batch(
        x=pixels,
        view_mask=torch.tensor([item.present for item in items], device=device),
        valid=_valid(sizes, (rows, cols), device),
        breast=breast,
        affine=torch.from_numpy(np.array([item.affines for item in items], dtype=np.float64)),
        mm_per_px=torch.tensor(scales, device=device),
        targets=_stacked([item.targets for item in items], (rows, cols), device),
        ids=tuple(item.id for item in items),
        patients=tuple(item.patient for item in items),
        origin=Origin(pixels, breast, tuple(item.keys or (None,) * slots for item in items), features),
    )


def _parts_taken(items: Sequence[Item], device: torch.device) -> list[Item]:
    """The items; those of which a part is seen have it, varied, on the device."""
    cut = [n for n, item in enumerate(items) if item.undone is not None and item.undone.part is not None]
    if not cut:
        return list(items)
    late = [own for n in cut if (undone := items[n].undone) for own in undone.late]
    frame = max(own.window[2] for own in late), max(own.window[3] for own in late)
    varied = iter(zip(late, *_varied([items[n] for n in cut], frame, device), strict=True))
    done = {n: _taken(items[n], [next(varied) for _ in items[n].x]) for n in cut}
    return [done.get(n, item) for n, item in enumerate(items)]


def _taken(item: Item, varied: Sequence[tuple[Late, Tensor, Tensor]]) -> Item:
    """The item with its varied slots, of the first what is made of its part."""
    x = [own[None, : late.window[2], : late.window[3]] for late, own, _ in varied]
    breast = [own[None, : late.window[2], : late.window[3]] for late, _, own in varied]
    assert item.undone is not None and item.undone.part is not None
    if item.undone.part.made is not None:
        x[0] = item.undone.part.made(x[0])
    breast[0] = x[0] > 0
    return replace(item, x=tuple(x), breast=tuple(breast), undone=None)


def _varied(items: Sequence[Item], frame: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """x and breast of all slots of undone items, (N * V, *frame)."""
    return vary(
        [x[0] for item in items for x in item.x],
        [breast[0] for item in items for breast in item.breast],
        [own for item in items if item.undone is not None for own in item.undone.late],
        frame,
        device,
    )


def _framed(items: Sequence[Item], frame: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """x and breast (B, V, 1, *frame) on the device, in the order of the items; what is undone is done."""
    late = [n for n, item in enumerate(items) if item.undone is not None]
    ready = [n for n, item in enumerate(items) if item.undone is None]
    shape = (-1, len(items[0].x), 1, *frame)
    found = []
    if late:
        found.append([own.reshape(shape) for own in _varied([items[n] for n in late], frame, device)])
    if ready:
        found.append([own.to(device) for own in _laid([items[n] for n in ready], frame)])
    if len(found) == 1:
        return found[0][0], found[0][1]
    order = torch.tensor([*late, *ready], device=device).argsort()
    pixels, breast = (torch.cat([own[k] for own in found])[order] for k in (0, 1))
    return pixels, breast


def _laid(items: Sequence[Item], frame: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """x and breast (B, V, 1, *frame) of items that are done, where they lie: brought to a device together."""
    device = items[0].x[0].device
    pixels = torch.zeros(len(items), len(items[0].x), 1, *frame, device=device)
    breast = torch.zeros(pixels.shape, dtype=torch.bool, device=device)
    for n, item in enumerate(items):
        for v, x in enumerate(item.x):
            place = (n, v, slice(None), slice(x.shape[-2]), slice(x.shape[-1]))
            pixels[place] = x
            if item.breast:
                breast[place] = item.breast[v]
    return pixels, breast


def _valid(sizes: Sequence[Sequence[tuple[int, int]]], frame: tuple[int, int], device: torch.device) -> Tensor:
    """(B, V, 1, *frame): where an image of its size lies in the frame."""
    ends = torch.tensor(sizes, device=device)[..., None, None, None]  # (B, V, 2, 1, 1, 1)
    down, right = (torch.arange(n, device=device) for n in frame)
    return (down[:, None] < ends[:, :, 0]) & (right < ends[:, :, 1])


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
