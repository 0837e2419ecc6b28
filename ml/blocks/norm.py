"""Normalisation by name, and the starting values of our networks."""

from typing import Literal

from torch import nn

Norm = Literal["bn", "gn"]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """BatchNorm, or GroupNorm with min(32, C/4) groups for batches too small to have statistics (fewer than 8)."""
    if kind == "bn":
        return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)
    return nn.GroupNorm(max(1, min(32, channels // 4)), channels, eps=1e-5)


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module norms by the statistics of its batch, those of several processes included."""
    return isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm)


def start_from_scratch(network: nn.Module) -> None:
    """Kaiming-normal convolutions (fan-out), norms at 1 and 0, the last norm of a residual branch at 0.

    With the last norm at 0 every block starts as its skip, so deep trunks start with maps of a sane size.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for module in network.modules():
        last = getattr(module, "last_norm", None)
        if last is not None:
            nn.init.zeros_(last.weight)


def start_without_norms(network: nn.Module) -> None:
    """He-normal by fan-in (He et al. 2015), biases at 0: for trunks of plain convolutions, where no norm mends a scale.

    By fan-out a first convolution of one channel, and every group, would shrink what it sees: AlexNet then tells two
    images apart by a hundredth of what it says of either, and learns nothing for hundreds of steps.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
