"""Channel gate: which feature maps matter for this image.

Source: Hu et al. 2018 (squeeze and excitation); the residual form x*g + x is that of Li et al. 2020.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class ChannelGate(nn.Module):
    """g = sigmoid(FC(ReLU(FC(mean of x)))), (N, C) in (0, 1); gives x*g + x (`residual`) or x*g, (N, C, H, W).

    `reduction` divides C for the hidden width (at least one unit). `summary_channels` is the width S of the vector
    that is squeezed when it is not the mean of x itself: the caller then makes the gate with `gate_of` and applies it
    with `apply_gate`, as a gate does that looks at both breasts.
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        *,
        bias: bool = True,
        residual: bool = True,
        summary_channels: int | None = None,
    ) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(summary_channels or channels, hidden, bias=bias)
        self.excite = nn.Linear(hidden, channels, bias=bias)
        self.residual = residual
        if bias:
            # A narrow gate has a hidden unit or two, and its input is never negative: one that starts dead stays so.
            nn.init.ones_(self.squeeze.bias)

    def gate_of(self, summary: Tensor) -> Tensor:
        """The gate values (N, C) of a summary (N, S)."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(summary))))

    def gate(self, x: Tensor) -> Tensor:
        """The gate values, (N, C)."""
        return self.gate_of(x.mean((2, 3)))

    def apply_gate(self, x: Tensor, gate: Tensor) -> Tensor:
        """x (N, C, H, W) under gate values (N, C)."""
        gated = x * gate[:, :, None, None]
        return gated + x if self.residual else gated

    def forward(self, x: Tensor) -> Tensor:
        return self.apply_gate(x, self.gate(x))


@contextmanager
def gates_seen(network: nn.Module) -> Iterator[list[Tensor]]:
    """The values (N, C) of every gate of a network, in order, of what runs through it meanwhile."""
    values: list[Tensor] = []

    def look(excite: nn.Module, given: tuple[Tensor, ...], said: Tensor) -> None:
        values.append(torch.sigmoid(said))

    gates = [module for module in network.modules() if isinstance(module, ChannelGate)]
    hooks = [gate.excite.register_forward_hook(look) for gate in gates]
    try:
        yield values
    finally:
        for hook in hooks:
            hook.remove()


def gate_means(gates: list[Tensor], count: int) -> Mapping[str, Tensor]:
    """`gate_<n>`: (count,) the mean value of the n-th gate for each sample, over its channels and its views."""
    return {f"gate_{n:02d}": gate.float().reshape(count, -1).mean(1) for n, gate in enumerate(gates, 1)}
