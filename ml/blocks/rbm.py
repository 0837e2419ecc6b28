"""Restricted Boltzmann machine, learned by one step of contrastive divergence. Source: Hinton 2002, 2012 (guide)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Visible = Literal["bernoulli", "gaussian"]
LEARNING_RATE = {"bernoulli": 0.1, "gaussian": 0.001}
DECAY = 2e-4


def momentum_at(epoch: int) -> float:
    """0.5 while the weights still find their direction (5 epochs), then 0.9; `epoch` counts from 0."""
    return 0.5 if epoch < 5 else 0.9


class RBM(nn.Module):
    """Visible (N, V) to hidden probabilities (N, H). Bernoulli: v in [0, 1]; Gaussian: v of mean 0 and deviation 1.

    Learned without autograd: `contrast` sets the gradients, an SGD optimiser with momentum makes the step.
    """

    def __init__(self, visible: int, hidden: int, kind: Visible = "bernoulli") -> None:
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(torch.randn(visible, hidden) * 0.01)
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def forward(self, v: Tensor) -> Tensor:
        return torch.sigmoid(v @ self.weight + self.hidden_bias)

    def visible(self, h: Tensor) -> Tensor:
        """Mean of the visible units (N, V) given hidden units (N, H)."""
        mean = h @ self.weight.T + self.visible_bias
        return torch.sigmoid(mean) if self.kind == "bernoulli" else mean

    def free_energy(self, v: Tensor) -> Tensor:
        """(N,): -a.v - sum softplus(b + W^T v); Gaussian: |v - a|^2 / 2 in place of -a.v."""
        hidden = functional.softplus(v @ self.weight + self.hidden_bias).sum(1)
        if self.kind == "bernoulli":
            return -(v @ self.visible_bias) - hidden
        return ((v - self.visible_bias) ** 2).sum(1) / 2 - hidden

    @torch.no_grad()
    def contrast(self, v0: Tensor, generator: torch.Generator, *, decay: float = DECAY) -> Tensor:
        """Set the gradients of CD-1 and return the mean squared error of the reconstruction, a scalar.

        The hidden units are sampled, the reconstruction is the visible mean, and the statistics use probabilities:
        dW = (v0^T p0 - v1^T p1) / B, of which a descent takes the negative; `decay` is on the weights alone.
        """
        with torch.autocast(v0.device.type, enabled=False):  # gradients have the weights' precision
            return self._contrast(v0.to(self.weight), generator, decay)

    def _contrast(self, v0: Tensor, generator: torch.Generator, decay: float) -> Tensor:
        p0 = self(v0)
        sampled = (torch.rand(p0.shape, generator=generator, device=generator.device).to(p0) < p0).to(v0)
        v1 = self.visible(sampled)
        p1 = self(v1)
        self.weight.grad = (v1.T @ p1 - v0.T @ p0) / len(v0) + decay * self.weight
        self.visible_bias.grad = (v1 - v0).mean(0)
        self.hidden_bias.grad = (p1 - p0).mean(0)
        return ((v1 - v0) ** 2).mean()
