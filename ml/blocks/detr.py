"""Set prediction: a fixed number of queries, each of them a lesion or none; no anchors and no suppression.

Source: Carion et al. 2020 (DETR), with pre-norm layers; positions are added to queries and keys of every attention.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ml.blocks.block import Block
from ml.blocks.dropout import HeldDropout


def sine_positions(rows: int, cols: int, channels: int) -> Tensor:
    """(rows*cols, channels), row by row: sines and cosines of the cell's y, then of its x, as shares of the map."""
    frequencies = 10000 ** (-torch.arange(channels // 4) / (channels // 4))

    def waves(count: int) -> Tensor:
        angles = (torch.arange(count) + 0.5)[:, None] * (2 * math.pi / count) * frequencies
        return torch.cat([angles.sin(), angles.cos()], 1)

    y, x = waves(rows)[:, None].expand(-1, cols, -1), waves(cols)[None].expand(rows, -1, -1)
    return torch.cat([y, x], -1).reshape(rows * cols, channels)


class FeedForward(nn.Sequential):
    """(..., D) to (..., D) by way of `hidden` ReLU units."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class TokenDropout(HeldDropout):
    """Drops features of tokens (N, L, D), the same ones of all L."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class EncoderLayer(Block):
    """Tokens (N, L, D) look at each other, then each is changed for itself."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = FeedForward(width, hidden)
        self.dropout1, self.dropout2 = TokenDropout(width, dropout), TokenDropout(width, dropout)

    def forward(self, x: Tensor, positions: Tensor, padded: Tensor | None) -> Tensor:
        y = self.norm1(x)
        placed = y + positions
        seen = self.attention(placed, placed, y, key_padding_mask=padded, need_weights=False)[0]
        x = x + self.dropout1(seen)
        return x + self.dropout2(self.feed(self.norm2(x)))


class DecoderLayer(Block):
    """Queries (N, Q, D) look at each other, then at the image's tokens (N, L, D)."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.among = nn.MultiheadAttention(width, heads, batch_first=True)
        self.across = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = FeedForward(width, hidden)
        self.dropout1, self.dropout2, self.dropout3 = (TokenDropout(width, dropout) for _ in range(3))

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, keys: Tensor, padded: Tensor | None) -> Tensor:
        """`keys` are the tokens with their positions, `memory` without."""
        y = self.norm1(x)
        placed = y + queries
        x = x + self.dropout1(self.among(placed, placed, y, need_weights=False)[0])
        seen = self.across(self.norm2(x) + queries, keys, memory, key_padding_mask=padded, need_weights=False)[0]
        x = x + self.dropout2(seen)
        return x + self.dropout3(self.feed(self.norm3(x)))


class DETRLite(nn.Module):
    """A trunk's last map (N, C, h, w) to classes and boxes of Q queries.

    Gives `logits` (N, Q, K+1), the last class is "none"; `boxes` (N, Q, 4) as (cx, cy, w, h), shares of the map's
    sides in (0, 1); `aux`: a pair (logits, boxes) of each decoder layer but the last; `embedding` (N, D): the mean
    encoder token. `valid` (N, h, w) is False on padding, which no token looks at.
    """

    def __init__(
        self,
        channels: int,
        width: int = 256,
        encoders: int = 6,
        decoders: int = 6,
        hidden: int = 2048,
        queries: int = 30,
        classes: int = 1,
        *,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Conv2d(channels, width, 1)
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, hidden, dropout) for _ in range(encoders))
        self.encoder_norm = nn.LayerNorm(width)
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, hidden, dropout) for _ in range(decoders))
        self.decoder_norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.classes = nn.Linear(width, classes + 1)
        self.box = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4)
        )
        for parameter in (*self.encoder.parameters(), *self.decoder.parameters()):
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def encode(self, c5: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The image's tokens (N, h*w, D), their positions (h*w, D), and which are padding (N, h*w) or None."""
        padded = None if valid is None else ~valid.flatten(1)
        positions = sine_positions(c5.shape[-2], c5.shape[-1], self.width).to(c5)
        tokens = self.project(c5).flatten(2).transpose(1, 2)
        for layer in self.encoder:
            tokens = layer(tokens, positions, padded)
        return self.encoder_norm(tokens), positions, padded

    def decode(self, tokens: Tensor, positions: Tensor, padded: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """(logits, boxes) after each decoder layer."""
        # The queries are both the first content and the positions: from zeros the first norm would never learn.
        x = queries = self.queries.expand(len(tokens), -1, -1)
        keys, found = tokens + positions, []
        for layer in self.decoder:
            x = layer(x, queries, tokens, keys, padded)
            y = self.decoder_norm(x)
            found.append((self.classes(y), torch.sigmoid(self.box(y))))
        return found

    def forward(self, c5: Tensor, valid: Tensor | None = None) -> dict[str, Any]:
        tokens, positions, padded = self.encode(c5, valid)
        *aux, (logits, boxes) = self.decode(tokens, positions, padded)
        there = torch.ones_like(tokens[..., 0]) if padded is None else (~padded).to(tokens)
        embedding = (tokens * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return {"logits": logits, "boxes": boxes, "aux": aux, "embedding": embedding}
