"""Losses that methods share; all in float32, whatever the network ran in."""

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH_L1_BETA = 1 / 9


def focal(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Element-wise sigmoid focal loss: cross-entropy that forgets what is already right. Source: Lin et al. 2017."""
    logits = logits.float()
    p = torch.sigmoid(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    missed = p * (1 - targets) + (1 - p) * targets
    return (alpha * targets + (1 - alpha) * (1 - targets)) * missed**gamma * entropy


def smooth_l1(codes: Tensor, targets: Tensor) -> Tensor:
    """Element-wise smooth L1, beta 1/9."""
    return functional.smooth_l1_loss(codes.float(), targets, beta=SMOOTH_L1_BETA, reduction="none")


def soft_cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
    """Per-sample cross-entropy (N,) with target distributions (N, C), optionally weighted by class."""
    losses = -(targets * functional.log_softmax(logits.float(), 1))
    return (losses if weight is None else losses * weight).sum(1)


def soft_dice(p: Tensor, g: Tensor, valid: Tensor | None = None, *, smooth: float = 1.0) -> Tensor:
    """(N,) overlap of probabilities and marks (N, ...) in [0, 1]: (2 sum pg + s) / (sum p + sum g + s), an image each.

    `valid` (N, ...) is False where nothing counts. Source: Milletari et al. 2016, without squares below the line.
    """
    p, g = p.float().flatten(1), g.float().flatten(1)
    if valid is not None:
        p, g = p * valid.flatten(1), g * valid.flatten(1)
    return (2 * (p * g).sum(1) + smooth) / (p.sum(1) + g.sum(1) + smooth)


def segmentation_loss(logits: Tensor, g: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
    """Parts `cross_entropy` (mean over valid pixels) and `dice` (mean of 1 - soft Dice over images with a mark).

    logits and marks g (N, 1, H, W). An image without a mark has cross-entropy alone: its Dice would only ask for ever
    smaller probabilities, however small they are.
    """
    logits, g = logits.float(), g.float()
    counted = torch.ones_like(g, dtype=torch.bool) if valid is None else valid
    entropy = functional.binary_cross_entropy_with_logits(logits, g, reduction="none")
    marked = (g * counted).flatten(1).any(1)
    missing = (1 - soft_dice(torch.sigmoid(logits), g, counted)) * marked
    return {
        "cross_entropy": (entropy * counted).sum() / counted.sum().clamp(min=1),
        "dice": missing.sum() / marked.sum().clamp(min=1),
    }
