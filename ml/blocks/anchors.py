"""Anchors and their matching to marks. Boxes are `[x0, y0, x1, y1]`, corner convention, network pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ml.blocks.boxes import iou

RATIOS = (0.5, 1.0, 2.0)
SCALES = (2 ** (0 / 3), 2 ** (1 / 3), 2 ** (2 / 3))
STRIDES = (8, 16, 32, 64, 128)
NEGATIVE, IGNORED = -1, -2


def level_anchors(rows: int, cols: int, stride: int, size: float) -> Tensor:
    """(rows*cols*9, 4): centres ((i+.5)*stride, (j+.5)*stride), ratio h/w outer, scale inner, area (size*scale)^2."""
    shapes = torch.tensor([(size * s / r**0.5, size * s * r**0.5) for r in RATIOS for s in SCALES])
    x = (torch.arange(cols) + 0.5) * stride
    y = (torch.arange(rows) + 0.5) * stride
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 1, 2)
    return torch.cat([centres - shapes / 2, centres + shapes / 2], -1).reshape(-1, 4)


def pyramid_anchors(shapes: Sequence[tuple[int, int]], sizes: Sequence[float]) -> Tensor:
    """All anchors of P3..P7 in the order of the heads' outputs; `shapes` are (rows, cols) of the levels."""
    return torch.cat(
        [level_anchors(r, c, stride, size) for (r, c), stride, size in zip(shapes, STRIDES, sizes, strict=True)]
    )


def match(
    anchors: Tensor, boxes: Tensor, *, inside: Tensor, ignore: Tensor, positive: float = 0.5, negative: float = 0.4
) -> Tensor:
    """For each anchor (N,): the index of its mark, NEGATIVE or IGNORED.

    IoU >= .5 is positive, .4-.5 ignored, and a mark without a positive claims its best anchor, or small masses would
    never be learned. Anchors centred outside the image (`inside` False) and those on `ignore` boxes are ignored.
    """
    result = torch.full((len(anchors),), NEGATIVE, device=anchors.device)
    if len(boxes):
        overlap = iou(anchors, boxes)
        overlap[~inside] = -1.0
        best, which = overlap.max(1)
        result[best >= negative] = IGNORED
        result[best >= positive] = which[best >= positive]
        for mark in range(len(boxes)):
            if not bool((result == mark).any()):
                result[overlap[:, mark].argmax()] = mark
    if len(ignore):
        touched = iou(anchors, ignore).max(1).values >= negative
        result[touched & (result < 0)] = IGNORED
    result[~inside & (result < 0)] = IGNORED
    return result
