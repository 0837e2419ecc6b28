"""The whole image and 25 overlapping sections of it: a 5x5 grid of a third of each side, stride a sixth."""

import torch
from torch import Tensor
from torch.nn import functional

Window = tuple[int, int, int, int]
GRID = 5
EDGE_PX = 2.0


def section_windows(rows: int, cols: int) -> list[Window]:
    """(left, top, right, bottom) in pixels, the whole image first."""

    def spans(n: int) -> list[tuple[int, int]]:
        return [(round(n * i / 6), round(n * (i + 2) / 6)) for i in range(GRID)]

    return [(0, 0, cols, rows)] + [(x0, y0, x1, y1) for y0, y1 in spans(rows) for x0, x1 in spans(cols)]


def window_scale(window: Window, short_px: int, long_px: int) -> float:
    """Factor that brings the short side to `short_px` without the long side exceeding `long_px`."""
    sides = sorted((window[2] - window[0], window[3] - window[1]))
    return min(short_px / sides[0], long_px / sides[1])


def resize(x: Tensor, scale: float) -> Tensor:
    """(1, H, W) to (1, ceil(H*scale), ceil(W*scale)), bilinear; corner coordinates are multiplied by `scale`."""
    return functional.interpolate(
        x[None], scale_factor=scale, mode="bilinear", align_corners=False, antialias=scale < 1,
        recompute_scale_factor=False,
    )[0]  # fmt: skip


def inner_edge(boxes: Tensor, window: Window, rows: int, cols: int) -> Tensor:
    """(N,) True where a box touches an edge of its section that is not an edge of the image."""
    touches = boxes.new_zeros(len(boxes), dtype=torch.bool)
    for side, (edge, image_edge) in enumerate(zip(window, (0, 0, cols, rows), strict=True)):
        if edge != image_edge:
            touches |= (boxes[:, side] - edge).abs() < EDGE_PX
    return touches
