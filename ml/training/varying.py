"""Variation of images where the network is: what `ml.pixels.augment` does on the host, in a GPU's own memory.

On a mammogram of the size that `large` methods read, a core takes a second for what a GPU does in some milliseconds.
Both draw the same movement and the same tones from a seed; noise comes from another generator.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.geometry.affine import invert
from ml.pixels.augment import Tones, Variation

PIXELS_AT_ONCE = 2**24
"""Small images go together, or the host is busier with asking than the GPU with answering; large ones need memory."""


def vary(x: Tensor, mask: Tensor, variations: Sequence[Variation], air: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """x (N, H, W) in [0, 1] and mask (N, H, W) bool, each varied; where there is no `air`, x is 0 outside the mask."""
    at_once = max(PIXELS_AT_ONCE // (x.shape[1] * x.shape[2]), 1)
    parts = [
        _varied(x[n : n + at_once], mask[n : n + at_once], variations[n : n + at_once], air[n : n + at_once])
        for n in range(0, len(x), at_once)
    ]
    return torch.cat([part for part, _ in parts]), torch.cat([inside for _, inside in parts])


def _varied(x: Tensor, mask: Tensor, variations: Sequence[Variation], air: Sequence[bool]) -> tuple[Tensor, Tensor]:
    if not all(variation.still for variation in variations):
        x, mask = _moved(x, mask, variations)
    x = _toned(x, [variation.tones for variation in variations]).clamp(0, 1)
    return torch.where(mask | _column(air, x, torch.bool), x, 0), mask


def _moved(x: Tensor, mask: Tensor, variations: Sequence[Variation]) -> tuple[Tensor, Tensor]:
    """Bilinear and nearest; edge pixels stand for half a pixel more, and what lies farther out is 0."""
    rows, cols = x.shape[1:]
    back = np.stack([invert(variation.matrix)[:2] for variation in variations])
    # From (i + .5, j + .5) to the source in [0, cols] x [0, rows]; the inner products are small, so float32 does.
    i, j = (torch.arange(n, device=x.device, dtype=torch.float32) + 0.5 for n in (cols, rows))
    own = torch.from_numpy(back.astype(np.float32)).to(x.device, non_blocking=True)[..., None, None]  # (N, 2, 3, 1, 1)
    across, down = (own[:, k, 0] * i + (own[:, k, 1] * j[:, None] + own[:, k, 2]) for k in (0, 1))
    inside = (across >= 0) & (across <= cols) & (down >= 0) & (down <= rows)
    grid = torch.stack([across * (2 / cols) - 1, down * (2 / rows) - 1], -1)
    moved = functional.grid_sample(x[:, None], grid, "bilinear", "border", align_corners=False)[:, 0]
    nearest = functional.grid_sample(mask[:, None].to(x), grid, "nearest", "border", align_corners=False)[:, 0]
    return torch.where(inside, moved, 0), (nearest > 0.5) & inside


def _toned(x: Tensor, tones: Sequence[Tones]) -> Tensor:
    if any(own.exponent is not None for own in tones):
        x = x.pow(_column([1.0 if own.exponent is None else own.exponent for own in tones], x))
    if any(own.line is not None for own in tones):
        lines = [own.line or (1.0, 0.0) for own in tones]
        x = x * _column([factor for factor, _ in lines], x) + _column([added for _, added in lines], x)
    noisy = [n for n, own in enumerate(tones) if own.noise is not None]
    if noisy:
        x = x.clone()
        for n in noisy:
            generator = torch.Generator(x.device).manual_seed(int(tones[n].rng.integers(2**63)))
            x[n] += float(tones[n].noise or 0) * torch.randn(x.shape[1:], generator=generator, device=x.device)
    return x


def _column(values: Sequence[float], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """One value for each image, (N, 1, 1)."""
    return torch.tensor(values, dtype=dtype or like.dtype).to(like.device, non_blocking=True)[:, None, None]
