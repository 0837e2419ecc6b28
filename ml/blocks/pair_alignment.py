"""Two breasts brought together by their outlines: scale, turn and shift, half of it on each side.

Each side takes half of the movement and the other the opposite half, so exchanging the sides exchanges the results and
changes nothing else. Images are canonical: chest wall at the left, the right breast mirrored.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

#: Reach of the search around the start: log of the scale, degrees, shifts down and right as shares of the side.
REACH = (math.log(1.1), 10.0, 0.05, 0.05)
STEPS, SHARES = 9, (0.8, 0.2)
SEARCH_PX = 64
NONE = torch.zeros(4)
TIE = 1e-5


def aligned(x: Tensor, breast: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x and breast (B, 2, 1, H, W), right first, both moved, and the movement (B, 4) of the left onto the right."""
    with torch.no_grad():
        movement = found(breast[:, 0], breast[:, 1])
    inside = moved(breast.float(), movement) > 0.5
    return moved(x, movement) * inside, inside, movement


def moved(pair: Tensor, movement: Tensor) -> Tensor:
    """A pair (B, 2, 1, H, W): the left by half of the movement (B, 4), the right by the opposite half."""
    right, left = _warped(pair[:, 0].float(), -movement / 2), _warped(pair[:, 1].float(), movement / 2)
    return torch.stack([right, left], 1)


def moved_back(pair: Tensor, movement: Tensor) -> Tensor:
    """What lies over a moved pair (B, 2, 1, H, W), over the pair as it was before `moved`."""
    right = _warped(pair[:, 0].float(), -movement / 2, back=True)
    left = _warped(pair[:, 1].float(), movement / 2, back=True)
    return torch.stack([right, left], 1)


def found(right: Tensor, left: Tensor) -> Tensor:
    """The movement (B, 4) under which the masks (B, 1, H, W) overlap best: first one depth, then a search by turns."""
    side = max(right.shape[-2:])
    rows, cols = (max(1, round(n * min(1.0, SEARCH_PX / side))) for n in right.shape[-2:])
    right, left = (functional.adaptive_avg_pool2d(mask.float(), (rows, cols)) for mask in (right, left))
    movement = NONE.to(right).repeat(len(right), 1)
    if torch.equal(right, left):
        return movement  # equal outlines overlap best as they are, and the search is most of what a small network costs
    movement[:, 0] = torch.log(_depth(right) / _depth(left))
    for share in SHARES:  # a coarse search, then a fine one, which together stay within the reach
        for n, reach in enumerate(REACH):
            around = share * torch.linspace(-reach, reach, STEPS).to(right)
            movement = _searched(right, left, movement, n, around)
    return movement


def _depth(mask: Tensor) -> Tensor:
    """(B,) columns from the chest wall to the farthest that holds breast (the nipple); 1 where there is none."""
    columns = mask[:, 0].amax(1) > 0.5
    place = torch.arange(1, mask.shape[-1] + 1, device=mask.device)
    return (columns * place).amax(1).clamp(min=1).float()


def _searched(right: Tensor, left: Tensor, start: Tensor, which: int, around: Tensor) -> Tensor:
    """The start with one of its numbers moved to where the overlap is best; of equals their mean: no side wins."""
    tried = start[None].repeat(len(around), 1, 1)
    tried[:, :, which] += around[:, None]
    scores = torch.stack([_overlap(right, left, own) for own in tried])
    # The smaller movement of two that are as good: a penalty far below what a pixel weighs.
    scores = scores - 1e-4 * (around / around.max()).abs()[:, None]
    best = (scores >= scores.amax(0, keepdim=True) - TIE).float()
    chosen = start.clone()
    chosen[:, which] += (best * around[:, None]).sum(0) / best.sum(0)
    return chosen


def _overlap(right: Tensor, left: Tensor, movement: Tensor) -> Tensor:
    """(B,) soft Dice of the masks, each moved by half."""
    a, b = _warped(right, -movement / 2), _warped(left, movement / 2)
    common, all_of_it = (a * b).flatten(1).sum(1), (a + b).flatten(1).sum(1)
    return 2 * common / all_of_it.clamp(min=1e-6)


def _warped(x: Tensor, movement: Tensor, *, back: bool = False) -> Tensor:
    """(B, 1, H, W) scaled and turned about the middle of the chest wall, then shifted, or back; what comes in is 0."""
    rows, cols = x.shape[-2:]
    scale, angle = movement[:, 0].exp(), torch.deg2rad(movement[:, 1])
    half = torch.tensor([cols / 2, rows / 2]).to(x)  # normed coordinates are (pixels - half) / half
    cos, sin = angle.cos() / scale, angle.sin() / scale
    turn = torch.stack([cos, sin, -sin, cos], 1).reshape(-1, 2, 2)  # output to source, in pixels
    centre = torch.tensor([0.0, rows / 2]).to(x)
    shift = torch.stack([movement[:, 3] * cols, movement[:, 2] * rows], 1)
    offset = centre - (turn @ (centre + shift)[:, :, None])[:, :, 0]
    if back:  # a turn over a scale: its inverse is its transpose times the square of the scale
        turn = turn.mT * scale[:, None, None] ** 2
        offset = -(turn @ offset[:, :, None])[:, :, 0]
    origin = ((turn @ half[:, None])[:, :, 0] + offset - half) / half
    linear = turn * half[None, None, :] / half[None, :, None]
    grid = functional.affine_grid(torch.cat([linear, origin[:, :, None]], 2), list(_shape(x)), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def _shape(x: Tensor) -> Sequence[int]:
    return tuple(x.shape)
