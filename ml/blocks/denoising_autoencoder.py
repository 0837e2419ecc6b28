"""Denoising autoencoder with tied weights: codes that survive missing inputs. Source: Vincent et al. 2008."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class DenoisingAutoencoder(nn.Module):
    """Inputs (..., I) in [0, 1] to codes (..., H) in (0, 1): h = sigmoid(W x + b), decoded as sigmoid(W^T h + c)."""

    def __init__(self, inputs: int, hidden: int, corruption: float = 0.25) -> None:
        super().__init__()
        self.corruption = corruption
        self.weight = nn.Parameter(torch.empty(hidden, inputs))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.visible_bias = nn.Parameter(torch.zeros(inputs))
        nn.init.xavier_uniform_(self.weight)

    def corrupt(self, x: Tensor, generator: torch.Generator, p: float | None = None) -> Tensor:
        """Masking noise: each input is zeroed with probability p (default: the block's own)."""
        share = self.corruption if p is None else p
        return x * (torch.rand(x.shape, generator=generator, device=generator.device) >= share).to(x)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(functional.linear(x, self.weight, self.hidden_bias))

    def decode(self, h: Tensor) -> Tensor:
        """Codes (..., H) to inputs (..., I) in (0, 1)."""
        return torch.sigmoid(self._decoded(h))

    def _decoded(self, h: Tensor) -> Tensor:
        return functional.linear(h, self.weight.T, self.visible_bias)

    def loss(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Mean binary cross-entropy between what a corrupted x gives and the *clean* x, a scalar."""
        return functional.binary_cross_entropy_with_logits(self._decoded(self(self.corrupt(x, generator))), x)

    def encode_map(self, x: Tensor, side: int, stride: int = 1) -> Tensor:
        """Codes (N, H, rows, cols) of every window side x side of a map (N, C, H', W'), C*side^2 = I.

        Equal to `forward` on each window flattened channel by channel, row by row.
        """
        kernel = self.weight.unflatten(1, (x.shape[1], side, side))
        return torch.sigmoid(functional.conv2d(x, kernel, self.hidden_bias, stride))
