"""Optimisers from their records: which weights decay, and which move more slowly."""

import re

import torch
from torch import nn

from ml.methods.spec import Optimiser, Stage

LAYER_DECAY = 0.75


def make_optimiser(
    network: nn.Module, stage: Stage, *, layer_decay: float = 1.0, head_factor: float = 1.0
) -> torch.optim.Optimizer:
    """Norms, biases and other vectors never decay. `lr_factor` of each group is multiplied into every step's rate."""
    record = stage.optimiser
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decay = record.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((decay, _factor(name, stage, layer_decay, head_factor)), []).append(parameter)
    listed = [
        {"params": parameters, "weight_decay": decay, "lr_factor": factor, "lr": record.lr * factor}
        for (decay, factor), parameters in groups.items()
    ]
    return _make(record, listed)


def _factor(name: str, stage: Stage, layer_decay: float, head_factor: float) -> float:
    """Heads move fastest; the trunk's stages by `layer_decay` for each stage below the last."""
    if name.startswith(stage.head_prefixes):
        return head_factor
    found = re.search(r"\blayer(\d)\b", name)
    if found:
        return layer_decay ** (5 - int(found.group(1)))
    return layer_decay**5 if re.search(r"\b(conv1|bn1)\b", name) else layer_decay


def _make(record: Optimiser, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    if record.kind == "sgd":
        return torch.optim.SGD(groups, lr=record.lr, momentum=record.momentum, nesterov=True)
    if record.kind == "adam":
        return torch.optim.Adam(groups, lr=record.lr, betas=record.betas, amsgrad=record.amsgrad)
    return torch.optim.AdamW(groups, lr=record.lr, betas=record.betas, amsgrad=record.amsgrad)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set this step's learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["lr_factor"]
