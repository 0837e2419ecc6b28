"""Deep belief net: a stack of RBMs, learned from below, then unrolled. Source: Hinton, Osindero and Teh 2006."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ml.blocks.rbm import RBM, Visible


class DBN(nn.Module):
    """(N, sizes[0]) to the codes (N, sizes[-1]) in (0, 1).

    Layer k is learned by `net.rbms[k].contrast(net.below(x, k), generator)` with the layers under it at rest.
    """

    def __init__(self, sizes: Sequence[int], kind: Visible = "bernoulli") -> None:
        super().__init__()
        self.rbms = nn.ModuleList(
            RBM(v, h, kind if n == 0 else "bernoulli") for n, (v, h) in enumerate(pairwise(sizes))
        )

    @torch.no_grad()
    def below(self, x: Tensor, layer: int) -> Tensor:
        """What RBM `layer` sees of x: the probabilities of the layers under it."""
        for rbm in list(self.rbms)[:layer]:
            x = rbm(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        for rbm in self.rbms:
            x = rbm(x)
        return x

    def unrolled(self, classes: int) -> nn.Sequential:
        """A sigmoid network (N, sizes[0]) to logits (N, classes) that starts from copies of the stack's weights."""
        layers: list[nn.Module] = []
        for rbm in self.rbms:
            assert isinstance(rbm, RBM)
            linear = nn.Linear(*rbm.weight.shape)
            with torch.no_grad():
                linear.weight.copy_(rbm.weight.T)
                linear.bias.copy_(rbm.hidden_bias)
            layers += [linear, nn.Sigmoid()]
            width = linear.out_features
        return nn.Sequential(*layers, nn.Linear(width, classes))
