"""Varied crops of a batch on its own device; what is drawn depends on torch's seed alone, which the loop sets."""

import math

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST, TURN_DEGREES, GAMMA, CONTRAST, BRIGHTNESS = 0.5, 20.0, 0.4, 0.3, 0.1
HALF = 0.5
CUT = 0.25
LEAST_BREAST, TRIES, COARSE = 0.5, 6, 16
"""A square is half breast, or the fullest of so many; its share is that of so many pixels a side."""


def crops(x: Tensor, breast: Tensor, side: int, *, toned: bool = True) -> Tensor:
    """A square of each image (B, 1, H, W), about a place of its breast and at least half breast: (B, 1, side, side).

    Scaled by 0.5 to 1 of the image, turned and mirrored; toned: grey values varied, blurred, and a square cut out.
    """
    grid = functional.affine_grid(_full_enough(x, breast), [len(x), 1, side, side], align_corners=False)
    square = functional.grid_sample(x, grid, align_corners=False)
    return _cut_out(_blurred(_toned(square))) if toned else square


def _full_enough(x: Tensor, breast: Tensor) -> Tensor:
    """(B, 2, 3): for each image the first of several drawn squares that is breast enough, else the fullest."""
    drawn = torch.stack([_matrices(x, breast) for _ in range(TRIES)], 1)
    grid = functional.affine_grid(drawn.flatten(0, 1), [len(x) * TRIES, 1, COARSE, COARSE], align_corners=False)
    inside = functional.grid_sample(breast.to(x).repeat_interleave(TRIES, 0), grid, align_corners=False)
    share = inside.mean((1, 2, 3)).view(len(x), TRIES)
    enough = share >= LEAST_BREAST
    chosen = torch.where(enough.any(1), enough.int().argmax(1), share.argmax(1))
    return drawn[torch.arange(len(x), device=x.device), chosen]


def _matrices(x: Tensor, breast: Tensor) -> Tensor:
    """(B, 2, 3): output to input, in grid_sample's units of -1 to 1."""
    count, _, rows, cols = x.shape
    # The largest of random numbers over the breast's pixels is one of them, each as likely as another.
    place = (torch.rand_like(x) * breast.to(x)).flatten(1).argmax(1)
    centre = torch.stack([(place % cols + 0.5) / cols, (place // cols + 0.5) / rows], 1) * 2 - 1
    scale = SMALLEST + (1 - SMALLEST) * torch.rand(count, device=x.device)
    turn = math.radians(TURN_DEGREES) * (2 * torch.rand(count, device=x.device) - 1)
    flip = torch.where(torch.rand(2, count, device=x.device) < HALF, -1.0, 1.0)
    # A square in pixels, whatever the image's shape.
    short = min(rows, cols)
    wide, high = scale * short / cols, scale * short / rows
    centre = torch.stack([_inside(centre[:, 0], wide), _inside(centre[:, 1], high)], 1)
    cos, sin = torch.cos(turn), torch.sin(turn)
    first = torch.stack([cos * flip[0] * wide, -sin * flip[1] * wide, centre[:, 0]], 1)
    second = torch.stack([sin * flip[0] * high, cos * flip[1] * high, centre[:, 1]], 1)
    return torch.stack([first, second], 1)


def _inside(centre: Tensor, half: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(centre, 1 - half), half - 1)


def _uniform(x: Tensor, most: float) -> Tensor:
    return most * (2 * torch.rand(len(x), 1, 1, 1, device=x.device) - 1)


def _toned(x: Tensor) -> Tensor:
    bent = x.clamp(min=0) ** torch.exp(_uniform(x, GAMMA))
    return ((bent * (1 + _uniform(x, CONTRAST)) + _uniform(x, BRIGHTNESS)) * (x > 0)).clamp(0, 1)


def _blurred(x: Tensor) -> Tensor:
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device) / 16
    soft = functional.conv2d(x, kernel.view(1, 1, 1, 5), padding=(0, 2))
    soft = functional.conv2d(soft, kernel.view(1, 1, 5, 1), padding=(2, 0))
    return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < HALF, soft, x)


def _cut_out(x: Tensor) -> Tensor:
    side = x.shape[-1]
    across = torch.arange(side, device=x.device) / side
    corner = torch.rand(2, len(x), 1, device=x.device) * (1 - CUT)
    inside = (across >= corner) & (across < corner + CUT)  # (2, B, side)
    square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    wanted = torch.rand(len(x), 1, 1, 1, device=x.device) < HALF
    return x.masked_fill(square & wanted, 0.0)


def masked_blocks(x: Tensor, block: int, share: float) -> Tensor:
    """(B, 1, rows/block, cols/block) bool: blocks that are hidden, `share` of each image's."""
    rows, cols = x.shape[-2] // block, x.shape[-1] // block
    drawn = torch.rand(len(x), rows * cols, device=x.device)
    hidden = drawn.argsort(1).argsort(1) < max(1, round(share * rows * cols))
    return hidden.view(len(x), 1, rows, cols)
