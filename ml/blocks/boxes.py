"""Boxes in torch: overlap, coding against anchors, suppression. `[x0, y0, x1, y1]`, corner convention, pixels."""

import math

import numpy as np
import torch
from torch import Tensor

MAX_LOG_SCALE = math.log(1000 / 16)


def area(boxes: Tensor) -> Tensor:
    """(N,) areas, never negative."""
    return (boxes[:, 2] - boxes[:, 0]).clamp(min=0) * (boxes[:, 3] - boxes[:, 1]).clamp(min=0)


def _intersection(a: Tensor, b: Tensor) -> Tensor:
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    return sides.clamp(min=0).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) intersection over union; 0 where both are empty."""
    both = _intersection(a, b)
    return both / (area(a)[:, None] + area(b)[None] - both).clamp(min=1e-9)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) generalised overlap in [-1, 1]: IoU less the share of the hull that neither box fills.

    Unlike the IoU it says how far apart boxes are that do not touch. Source: Rezatofighi et al. 2019.
    """
    both = _intersection(a, b)
    union = area(a)[:, None] + area(b)[None] - both
    sides = torch.maximum(a[:, None, 2:], b[None, :, 2:]) - torch.minimum(a[:, None, :2], b[None, :, :2])
    hull = sides.clamp(min=0).prod(-1)
    return both / union.clamp(min=1e-9) - (hull - union) / hull.clamp(min=1e-9)


def corners_of(boxes: Tensor) -> Tensor:
    """(..., 4): (cx, cy, w, h) to [x0, y0, x1, y1]."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def centres_of(boxes: Tensor) -> Tensor:
    """(..., 4): [x0, y0, x1, y1] to (cx, cy, w, h), the inverse of `corners_of`."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def covered(a: Tensor, b: Tensor) -> Tensor:
    """(N, M) share of each box of `a` that lies inside each of `b`."""
    return _intersection(a, b) / area(a)[:, None].clamp(min=1e-9)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """(N, 4): ((gx-ax)/aw, (gy-ay)/ah, ln(gw/aw), ln(gh/ah)) of centres and sizes."""
    sizes, anchor_sizes = boxes[:, 2:] - boxes[:, :2], anchors[:, 2:] - anchors[:, :2]
    centres, anchor_centres = (boxes[:, :2] + boxes[:, 2:]) / 2, (anchors[:, :2] + anchors[:, 2:]) / 2
    return torch.cat([(centres - anchor_centres) / anchor_sizes, torch.log(sizes / anchor_sizes)], 1)


def decode(codes: Tensor, anchors: Tensor) -> Tensor:
    """Inverse of `encode`; sizes are held below 1000/16 times the anchor's."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2 + codes[:, :2] * sizes
    half = sizes * torch.exp(codes[:, 2:].clamp(max=MAX_LOG_SCALE)) / 2
    return torch.cat([centres - half, centres + half], 1)


def nms(boxes: Tensor, scores: Tensor, threshold: float, *, limit: int = 2000) -> Tensor:
    """Indices kept, by descending score (ties: lower index first); suppresses IoU > threshold.

    Stops after `limit` boxes; looks at the 2000 best. Overlaps are computed a row at a time: with the usual limits
    that is far less work than the whole matrix.
    """
    order = torch.argsort(scores, descending=True, stable=True)[:2000]
    sorted_boxes = boxes[order].detach().cpu().float()
    alive = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for n in range(len(order)):
        if not alive[n]:
            continue
        kept.append(n)
        if len(kept) == limit:
            break
        alive[n + 1 :] &= (iou(sorted_boxes[n : n + 1], sorted_boxes[n + 1 :])[0] <= threshold).numpy()
    return order[torch.tensor(kept, dtype=torch.long, device=order.device)]
