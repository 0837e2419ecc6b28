"""Parameters of a network without its memory."""

from collections.abc import Callable

import torch
from torch import nn


def parameters(build: Callable[[], nn.Module]) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())
