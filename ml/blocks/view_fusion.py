"""From the features of an exam's views to one vector, also when a view is missing."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ml.blocks.gated_attention import GatedAttention

Fusion = Literal["concat", "mean", "max", "attention"]
Sharing = Literal["all", "laterality"]
ORDER = ("R-CC", "L-CC", "R-MLO", "L-MLO")
"""The order in which views are concatenated unless a method says otherwise."""


class ViewEncoder(nn.Module):
    """(B, V, I, H, W) to features (B, V, ...): one encoder for all views, or one for CC and one for MLO.

    Right and left always share weights: right breasts are mirrored before. `build()` makes an encoder (N, I, H, W) to
    (N, ...); `views` names the slots ("R-CC").
    """

    def __init__(self, build: Callable[[], nn.Module], views: Sequence[str] = ORDER, share: Sharing = "all") -> None:
        super().__init__()
        kinds = [view.rsplit("-", 1)[-1] if share == "laterality" else "all" for view in views]
        self.kinds = kinds
        self.encoders = nn.ModuleDict({kind: build() for kind in dict.fromkeys(kinds)})

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == len(self.kinds), f"this encoder reads {len(self.kinds)} views, got {x.shape[1]}"
        features: dict[int, Tensor] = {}
        for kind, encoder in self.encoders.items():
            slots = [slot for slot, own in enumerate(self.kinds) if own == kind]
            encoded = encoder(x[:, slots].flatten(0, 1)).unflatten(0, (len(x), len(slots)))
            features.update({slot: encoded[:, n] for n, slot in enumerate(slots)})
        return torch.stack([features[slot] for slot in range(len(self.kinds))], 1)


class ViewFusion(nn.Module):
    """Features (B, V, D), `view_mask` (B, V) True where a view exists, to (B, `out_features`).

    `views` names the slots. concat: in the order of names `order` (default R-CC, L-CC, R-MLO, L-MLO; other names as
    they come); with `tokens` a missing view is a learned vector and the mask is appended (V more values), without, all
    views must be there. mean, max, attention (gated, with `hidden` units): a missing view is left out; at least one
    must exist.
    """

    def __init__(
        self,
        kind: Fusion,
        features: int,
        views: Sequence[str] = ORDER,
        *,
        order: Sequence[str] | None = None,
        tokens: bool = False,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        self.kind, self.tokens = kind, tokens
        placed = order or (ORDER if set(views) <= set(ORDER) else views)
        self.order = [list(views).index(view) for view in placed if view in views]
        assert len(self.order) == len(views), f"{placed} does not place each of {views}"
        self.attention = GatedAttention(features, hidden) if kind == "attention" else None
        self.token = nn.Parameter(torch.zeros(len(views), features)) if kind == "concat" and tokens else None
        views_wide = len(views) * (features + 1 if tokens else features)
        self.out_features = views_wide if kind == "concat" else features

    def forward(self, features: Tensor, view_mask: Tensor | None = None) -> Tensor:
        mask = features.new_ones(features.shape[:2], dtype=torch.bool) if view_mask is None else view_mask
        assert bool(mask.any(1).all()), "an exam without any view"
        if self.kind == "concat":
            return self._concat(features, mask)
        if self.attention is not None:
            return self.attention(features, mask)[0]
        there = mask[..., None]
        if self.kind == "max":
            return features.masked_fill(~there, torch.finfo(features.dtype).min).amax(1)
        return features.masked_fill(~there, 0.0).sum(1) / there.sum(1)

    def weights(self, features: Tensor, view_mask: Tensor | None = None) -> Tensor:
        """(B, V) attention of the views; for kind "attention" alone."""
        assert self.attention is not None, f"{self.kind} has no attention"
        return self.attention.attention(features, view_mask)

    def _concat(self, features: Tensor, mask: Tensor) -> Tensor:
        if self.token is None:
            assert bool(mask.all()), "concat without tokens needs all views"
            return features[:, self.order].flatten(1)
        filled = torch.where(mask[..., None], features, self.token.to(features))
        return torch.cat([filled[:, self.order].flatten(1), mask[:, self.order].to(features)], 1)
