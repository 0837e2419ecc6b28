"""Additive attention gate on a skip connection: coarse features say where to look. Source: Oktay et al. 2018."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class AttentionGate(nn.Module):
    """x (N, CX, H, W) and the coarser g (N, CG, H/s, W/s) to x*a, a (N, 1, H, W) in (0, 1).

    a = sigmoid(psi(ReLU(Wx x + Wg g))), upsampled bilinear; Wx is 1x1 with stride s and no bias.
    """

    def __init__(self, cx: int, cg: int, ci: int, stride: int = 2) -> None:
        super().__init__()
        self.of_x = nn.Conv2d(cx, ci, 1, stride, bias=False)
        self.of_g = nn.Conv2d(cg, ci, 1)
        self.psi = nn.Conv2d(ci, 1, 1)

    def attention(self, x: Tensor, g: Tensor) -> Tensor:
        """(N, 1, H, W) in (0, 1)."""
        a = torch.sigmoid(self.psi(torch.relu(self.of_x(x) + self.of_g(g))))
        return functional.interpolate(a, size=x.shape[-2:], mode="bilinear", align_corners=False)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        return x * self.attention(x, g)
