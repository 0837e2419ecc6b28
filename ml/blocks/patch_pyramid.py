"""Patches about the same points in every scale of a binomial pyramid, each without its own brightness and contrast."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

CLIP_SD, SPREAD = 3.0, 0.01


def pyramid(x: Tensor, scales: Sequence[int]) -> list[Tensor]:
    """Images (N, 1, H, W) smoothed and sampled at every `scale`-th pixel, one map a scale."""
    found, level, scale = [], x, 1
    for wanted in scales:
        while scale < wanted:
            level, scale = _halved(level), scale * 2
        found.append(level)
    return found


def _halved(x: Tensor) -> Tensor:
    """Binomial smoothing (1, 4, 6, 4, 1) along both axes, every second pixel."""
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).to(x) / 16
    padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(padded, (taps[:, None] * taps)[None, None], stride=2)


def normed(patches: Tensor) -> Tensor:
    """Patches (N, I, ...) to [0.1, 0.9]: each centred and divided by its own spread, cut at 3."""
    centred = patches - patches.mean(1, keepdim=True)
    z = centred / (patches.std(1, keepdim=True, correction=0) + SPREAD)
    return 0.5 + 0.4 * z.clamp(-CLIP_SD, CLIP_SD) / CLIP_SD


def patches_at(level: Tensor, scale: int, points: Tensor, side: int) -> Tensor:
    """(N, K, side^2) normed patches of a level (N, 1, h, w) about points (N, K, 2), (row, column) at full scale."""
    reach = side // 2
    padded = functional.pad(level[:, 0], (reach, reach, reach, reach))
    rows, cols = padded.shape[-2:]
    around = torch.arange(side, device=level.device)
    place = points // scale
    down = (place[:, :, 0, None] + around).clamp(max=rows - 1)
    right = (place[:, :, 1, None] + around).clamp(max=cols - 1)
    flat = (down[..., :, None] * cols + right[..., None, :]).flatten(1)
    return normed(padded.flatten(1).gather(1, flat).unflatten(1, (points.shape[1], side * side)).transpose(1, 2)).mT


def every(level: Tensor, scale: int, side: int, stride: int, size: tuple[int, int]) -> Tensor:
    """(N, side^2, rows * cols) normed patches of a level about every `stride`-th pixel of the full scale.

    `size` (rows, cols) is the number of points. A scale beyond the stride has one patch for several points.
    """
    step = max(1, stride // scale)
    reach = side // 2
    rows, cols = ((n - 1) * step + 1 if scale <= stride else (n - 1) * stride // scale + 1 for n in size)
    grown = functional.pad(
        level, (reach, max(0, cols + reach - level.shape[-1]), reach, max(0, rows + reach - level.shape[-2]))
    )
    taken = normed(functional.unfold(grown[..., : rows + 2 * reach, : cols + 2 * reach], side, stride=step))
    if scale <= stride:
        return taken
    own = taken.unflatten(2, (rows, cols))
    at = [torch.arange(n, device=level.device) * stride // scale for n in size]
    return own[:, :, at[0]][:, :, :, at[1]].flatten(2)
