"""Weighted box fusion: boxes of several models or passes become their average. Source: Solovyev et al. 2021."""

import torch
from torch import Tensor

from ml.blocks.boxes import iou


def fuse_boxes(
    boxes: Tensor, scores: Tensor, sources: int, *, threshold: float = 0.55
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, 4) and scores (N,) of one class from `sources` models to fused boxes, scores and each box's group (N,).

    By descending score a box joins the group whose fused box it overlaps most, if the IoU is over `threshold`, else it
    opens a group. A group's box is the mean of its boxes weighted by score, its score the mean of theirs times
    min(size, sources) / sources: what few of the models saw counts less. Fused boxes come by descending score.
    """
    order = torch.argsort(scores, descending=True, stable=True).tolist()
    groups: list[list[int]] = []
    fused: list[Tensor] = []
    for n in order:
        overlap = iou(boxes[n : n + 1], torch.stack(fused))[0] if fused else boxes.new_zeros(0)
        best = int(overlap.argmax()) if len(overlap) and overlap.max() > threshold else len(groups)
        if best == len(groups):
            groups.append([])
            fused.append(boxes[n])
        groups[best].append(n)
        own = scores[groups[best]].clamp(min=1e-9)
        fused[best] = (boxes[groups[best]] * own[:, None]).sum(0) / own.sum()
    if not groups:
        return boxes.new_zeros(0, 4), scores.new_zeros(0), torch.zeros(0, dtype=torch.long, device=boxes.device)
    means = torch.stack([scores[own].mean() * min(len(own), sources) / sources for own in groups])
    rank = torch.argsort(means, descending=True, stable=True)
    group = torch.empty(len(boxes), dtype=torch.long, device=boxes.device)
    for place, old in enumerate(rank.tolist()):
        group[groups[old]] = place
    return torch.stack(fused)[rank], means[rank], group
