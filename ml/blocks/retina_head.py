"""The two subnets of RetinaNet, shared over all pyramid levels. Source: Lin et al. 2017 (focal loss)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ml.blocks.dropout import HeldDropout

PRIOR = 0.01


class Subnet(nn.Module):
    """Four 3x3-ReLU, dropout, one 3x3: (N, C, H, W) to (N, H*W*A, values)."""

    def __init__(self, channels: int, anchors: int, values: int, dropout: float, bias: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(4):
            conv = nn.Conv2d(channels, channels, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
            layers += [conv, nn.ReLU(inplace=True)]
        self.tower = nn.Sequential(*layers)
        self.dropout = HeldDropout(channels, dropout)
        self.last = nn.Conv2d(channels, anchors * values, 3, padding=1)
        self.values = values
        nn.init.normal_(self.last.weight, std=0.01)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, bias)

    def flat(self, y: Tensor) -> Tensor:
        """(N, A*values, H, W) to (N, H*W*A, values): row by row, then anchor by anchor."""
        return y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, self.values)

    def forward(self, x: Tensor) -> Tensor:
        return self.flat(self.last(self.dropout(self.tower(x))))


class RetinaHead(nn.Module):
    """Class logits (N, anchors, K) and box codes (N, anchors, 4) over P3..P7, in the order of the levels."""

    def __init__(self, classes: int, channels: int = 256, anchors: int = 9, dropout: float = 0.2) -> None:
        super().__init__()
        # With this bias every anchor starts at 1 %, so that the many negatives do not swamp the first steps.
        self.classes = Subnet(channels, anchors, classes, dropout, -math.log((1 - PRIOR) / PRIOR))
        self.boxes = Subnet(channels, anchors, 4, dropout, 0.0)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        logits = torch.cat([self.classes(level) for level in levels], 1)
        codes = torch.cat([self.boxes(level) for level in levels], 1)
        return logits, codes
