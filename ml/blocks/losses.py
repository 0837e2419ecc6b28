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
