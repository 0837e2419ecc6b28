"""What a score loses where a square of the image is covered. Source: Zeiler and Fergus 2014, section 4.2."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def occlusion(
    score_of: Callable[[Tensor], Tensor], x: Tensor, breast: Tensor, side: int, *, at_once: int = 16
) -> Tensor:
    """ReLU(score - score with a square covered) of one sample x (1, V, 1, H, W), as (V, ceil(H/side), ceil(W/side)).

    score_of takes (N, V, 1, H, W) to scores (N,). Squares of `side` pixels that show breast (V, 1, H, W) are covered,
    one at a time, by the mean of the view's breast; the others are 0.
    """
    rows, cols = -(-x.shape[-2] // side), -(-x.shape[-1] // side)
    heat = torch.zeros(x.shape[1], rows, cols)
    whole = float(score_of(x)[0])
    places = list(_squares(breast, rows, cols, side))
    for first in range(0, len(places), at_once):
        some = places[first : first + at_once]
        covered = x.repeat(len(some), 1, 1, 1, 1)
        for n, (view, row, col) in enumerate(some):
            top, left = row * side, col * side
            covered[n, view, 0, top : top + side, left : left + side] = x[0, view][breast[view]].mean()
        lost = whole - score_of(covered).float().cpu()
        for (view, row, col), value in zip(some, lost, strict=True):
            heat[view, row, col] = value.clamp(min=0)
    return heat


def squares(breast: Tensor, side: int) -> int:
    """How many squares would be covered, in breast (V, 1, H, W)."""
    rows, cols = -(-breast.shape[-2] // side), -(-breast.shape[-1] // side)
    return sum(1 for _ in _squares(breast, rows, cols, side))


def _squares(breast: Tensor, rows: int, cols: int, side: int) -> Iterator[tuple[int, int, int]]:
    for view in range(len(breast)):
        for row in range(rows):
            for col in range(cols):
                if breast[view, 0, row * side : (row + 1) * side, col * side : (col + 1) * side].any():
                    yield view, row, col
