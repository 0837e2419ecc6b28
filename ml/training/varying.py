"""Variation of images where the network is: what `ml.pixels.augment` does on the host, in a GPU's own memory.

On a mammogram of the size that `large` methods read, a core takes a second for what a GPU does in some milliseconds.
Both draw the same movement and the same tones from a seed; noise comes from another generator.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ml.geometry.affine import invert
from ml.pixels.augment import Tones, Variation


def vary(x: Tensor, mask: Tensor, variation: Variation, *, air: bool) -> tuple[Tensor, Tensor]:
    """x (H, W) in [0, 1] and mask (H, W) bool, varied; where there is no `air`, x is 0 outside the mask."""
    if not variation.still:
        x, mask = _moved(x, mask, variation)
    x = _toned(x, variation.tones).clamp(0, 1)
    return (x if air else torch.where(mask, x, 0)), mask


def _moved(x: Tensor, mask: Tensor, variation: Variation) -> tuple[Tensor, Tensor]:
    """Bilinear and nearest; edge pixels stand for half a pixel more, and what lies farther out is 0."""
    rows, cols = x.shape
    back = invert(variation.matrix)
    j, i = (torch.arange(n, device=x.device, dtype=torch.float32) + 0.5 for n in (rows, cols))
    across, down = (float(a) * i + (float(b) * j + float(c))[:, None] for a, b, c in back[:2])
    inside = (across >= 0) & (across <= cols) & (down >= 0) & (down <= rows)
    grid = torch.stack([across * (2 / cols) - 1, down * (2 / rows) - 1], -1)[None]
    moved = functional.grid_sample(x[None, None], grid, "bilinear", "border", align_corners=False)[0, 0]
    nearest = functional.grid_sample(mask[None, None].to(x), grid, "nearest", "border", align_corners=False)[0, 0]
    return torch.where(inside, moved, 0), (nearest > 0.5) & inside


def _toned(x: Tensor, tones: Tones) -> Tensor:
    if tones.exponent is not None:
        x = x.pow(tones.exponent)
    if tones.line is not None:
        x = x * tones.line[0] + tones.line[1]
    if tones.noise is not None:
        generator = torch.Generator(x.device).manual_seed(int(tones.rng.integers(2**63)))
        x = x + tones.noise * torch.randn(x.shape, generator=generator, device=x.device)
    return x
