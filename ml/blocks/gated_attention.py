"""Gated attention pooling: which instances of a bag matter. Source: Ilse et al. 2018."""

import torch
from torch import Tensor, nn


class GatedAttention(nn.Module):
    """Instances h (N, K, D) to the bag z (N, D) and weights a (N, K) that sum to 1 over the valid ones.

    a = softmax_k(w^T(tanh(V h_k) * sigmoid(U h_k))), z = sum a_k h_k. Padded instances (`mask` False) weigh 0; a bag
    without any gives zeros.
    """

    def __init__(self, features: int, hidden: int = 128, *, bias: bool = False) -> None:
        super().__init__()
        self.v = nn.Linear(features, hidden, bias=bias)
        self.u = nn.Linear(features, hidden, bias=bias)
        self.w = nn.Linear(hidden, 1, bias=bias)

    def attention(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, K) weights."""
        scores = self.w(torch.tanh(self.v(h)) * torch.sigmoid(self.u(h)))[..., 0]
        if mask is None:
            return torch.softmax(scores, 1)
        # The lowest number instead of minus infinity: the softmax of an empty bag would be NaN, and so its gradient.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return torch.softmax(scores, 1) * mask

    def forward(self, h: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a = self.attention(h, mask)
        if mask is not None:
            # Zero times a NaN of the padding would still be a NaN.
            h = h.masked_fill(~mask[..., None], 0.0)
        return (a[..., None] * h).sum(1), a
