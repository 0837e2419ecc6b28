"""From the scores of a bag's instances to the bag's: multiple-instance pooling without weights of its own."""

from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["max", "mean", "top", "lse", "noisy_or"]


class MILPool(nn.Module):
    """p (N, K) or (N, K, C) to (N) or (N, C), over the instances whose `mask` (N, K) is True; an empty bag is 0.

    max; mean; top: mean of the k = max(1, round(share * n_valid)) highest; lse: (1/r) ln mean exp(r p), between the
    mean (r to 0) and the maximum; noisy_or: 1 - prod(1 - p), p in [0, 1]. Gated attention is a block of its own.
    """

    def __init__(self, kind: Pooling, *, share: float = 0.1, sharpness: float = 5.0) -> None:
        super().__init__()
        self.kind, self.share, self.sharpness = kind, share, sharpness

    def forward(self, p: Tensor, mask: Tensor | None = None) -> Tensor:
        flat = p[..., None] if p.dim() == 2 else p
        valid = torch.ones_like(flat, dtype=torch.bool) if mask is None else mask[..., None].expand_as(flat)
        pooled = getattr(self, f"_{self.kind}")(flat, valid) * valid.any(1)
        return pooled[..., 0] if p.dim() == 2 else pooled

    def _max(self, p: Tensor, valid: Tensor) -> Tensor:
        return p.masked_fill(~valid, torch.finfo(p.dtype).min).amax(1)

    def _mean(self, p: Tensor, valid: Tensor) -> Tensor:
        return p.masked_fill(~valid, 0.0).sum(1) / valid.sum(1).clamp(min=1)

    def _top(self, p: Tensor, valid: Tensor) -> Tensor:
        ranked = p.masked_fill(~valid, torch.finfo(p.dtype).min).sort(dim=1, descending=True, stable=True).values
        k = torch.round(self.share * valid.sum(1)).clamp(min=1)  # (N, C)
        counted = (torch.arange(p.shape[1], device=p.device)[None, :, None] < k[:, None]) & valid.any(1)[:, None]
        return ranked.masked_fill(~counted, 0.0).sum(1) / k

    def _lse(self, p: Tensor, valid: Tensor) -> Tensor:
        scaled = (self.sharpness * p).masked_fill(~valid, torch.finfo(p.dtype).min)
        n = valid.sum(1).clamp(min=1)
        return (torch.logsumexp(scaled, 1) - n.log()) / self.sharpness

    def _noisy_or(self, p: Tensor, valid: Tensor) -> Tensor:
        return 1 - (1 - p.masked_fill(~valid, 0.0)).prod(1)
