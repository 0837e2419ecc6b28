"""What a network loses to become a stub of a learning check: functions that change one right after it was built."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def averaged_maps(network: Any) -> None:
    """`gmic`: every cell is the average of all cells, so that no place is more salient: crops stay in one corner."""
    trunk = network.trunk.forward

    def averaged(x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = trunk(x)
        return [*maps[:-1], maps[-1].mean((2, 3), keepdim=True).expand_as(maps[-1])]

    network.trunk.forward = averaged


def one_member(place: int) -> Callable[[Any], None]:
    """`dream_ensemble`: the regressions see one member's score in the place of each."""

    def copied(scores: Any) -> Any:
        found = np.array(scores) if isinstance(scores, np.ndarray) else scores.clone()
        found[...] = found[:, place : place + 1]
        return found

    return regression_of(copied)


def regression_of(see: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Every level's regression of `dream_ensemble` fitted to, and asked about, `see(scores)` (N, M)."""

    def edit(network: Any) -> None:
        for level in network.levels.values():
            level.fit = seeing_rows(level.fit, see)
            level.logits = seeing_rows(level.logits, see)

    return edit


def seeing_rows(ask: Callable[..., Any], see: Callable[[Any], Any]) -> Callable[..., Any]:
    """`ask(rows, ...)` as `ask(see(rows), ...)`."""
    return lambda rows, *others, **named: ask(see(rows), *others, **named)


def two_moments(network: Any) -> None:
    """`histogram_density`: of each view's histogram only mean and spread are left, as a normal distribution's bins."""
    shares, bins = network.shares, network.config.bins
    middles = (torch.arange(bins) + 0.5) / bins

    def normal(x: Tensor, counted: Tensor) -> Tensor:
        found = shares(x, counted).unflatten(1, (-1, bins))
        mean = (found * middles).sum(2, keepdim=True)
        spread = ((found * (middles - mean) ** 2).sum(2, keepdim=True)).sqrt().clamp(min=1 / bins)
        bell = torch.exp(-(((middles - mean) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
        told: Tensor = (bell / bell.sum(2, keepdim=True)).flatten(1)
        return told

    network.shares = normal
