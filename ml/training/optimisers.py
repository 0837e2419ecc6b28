"""Optimisers from their records: which weights move, which decay, and which move more slowly."""

from collections.abc import Iterator

import torch
from torch import nn

from ml.blocks.backbone import Backbone
from ml.methods.spec import Optimiser, Stage

LAYER_DECAY = 0.75


def trainable(network: nn.Module, stage: Stage) -> Iterator[tuple[str, nn.Parameter]]:
    """The weights that a stage moves."""
    for name, parameter in network.named_parameters():
        if not stage.trainable or name.startswith(stage.trainable):
            yield name, parameter


def make_optimisers(
    network: nn.Module, stage: Stage, *, layer_decay: float = 1.0, head_factor: float = 1.0
) -> dict[str, torch.optim.Optimizer]:
    """One optimiser by the name "", or those that the stage names by the prefix of their weights.

    Norms, biases, layer scales and other vectors never decay. `lr_factor` of each group is multiplied into every
    step's rate.
    """
    records = stage.optimisers or {"": stage.optimiser}
    made = {}
    for prefix, record in records.items():
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in trainable(network, stage):
            if name.startswith(prefix):
                decay = record.decay if _is_matrix(parameter) else 0.0
                factor = _factor(network, name, stage, layer_decay, head_factor) * _slowed(name, stage)
                groups.setdefault((decay, factor), []).append(parameter)
        listed = [
            {"params": parameters, "weight_decay": decay, "lr_factor": factor, "lr": record.lr * factor}
            for (decay, factor), parameters in groups.items()
        ]
        made[prefix] = _MAKERS[record.kind](record, listed)
    return made


def _is_matrix(parameter: nn.Parameter) -> bool:
    """More than one value per output; a layer scale (C, 1, 1) is a vector."""
    return parameter.dim() > 1 and parameter.numel() > len(parameter)


def _slowed(name: str, stage: Stage) -> float:
    """The factor of the longest prefix that names the weight."""
    fitting = [prefix for prefix in stage.lr_factors if name.startswith(prefix)]
    return stage.lr_factors[max(fitting, key=len)] if fitting else 1.0


def _factor(network: nn.Module, name: str, stage: Stage, layer_decay: float, head_factor: float) -> float:
    """Heads move fastest; the trunk's stages by `layer_decay` for each stage below the last, the stem slowest."""
    if stage.head_prefixes and name.startswith(stage.head_prefixes):
        return head_factor
    trunk = getattr(network, "trunk", None)
    if isinstance(trunk, Backbone) and name.startswith("trunk."):
        return layer_decay ** (1 + len(trunk.stage_prefixes) - trunk.stage_of(name.removeprefix("trunk.")))
    return layer_decay


_MAKERS = {
    "sgd": lambda record, groups: torch.optim.SGD(groups, lr=record.lr, momentum=record.momentum, nesterov=True),
    "adam": lambda record, groups: torch.optim.Adam(groups, lr=record.lr, betas=record.betas, amsgrad=record.amsgrad),
    "nadam": lambda record, groups: torch.optim.NAdam(groups, lr=record.lr, betas=record.betas),
    "adamw": lambda record, groups: torch.optim.AdamW(groups, lr=record.lr, betas=record.betas, amsgrad=record.amsgrad),
}


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set this step's learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["lr_factor"]


def record_of(stage: Stage, name: str) -> Optimiser:
    """The record of an optimiser by its name."""
    return stage.optimisers[name] if stage.optimisers else stage.optimiser
