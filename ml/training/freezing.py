"""What of a network learns in a step, and what rests."""

from torch import nn

from ml.blocks.norm import is_batch_norm
from ml.methods.spec import Stage
from ml.training.optimisers import trainable


def set_trainable(network: nn.Module, stage: Stage, step: int, freeze_steps: int, *, freeze_norm: bool) -> None:
    """Heads alone for the first steps of a continued model; norms in eval where batches are small."""
    still = frozen_modules(network, stage)
    network.train()
    for module in still:
        module.eval()
    frozen = step < freeze_steps
    if frozen or (freeze_steps and step == freeze_steps):
        for name, parameter in trainable(network, stage):
            parameter.requires_grad_(not frozen or name.startswith(stage.head_prefixes))
    if freeze_norm or frozen:
        for module in network.modules():
            if is_batch_norm(module):
                module.eval()


def frozen_modules(network: nn.Module, stage: Stage) -> list[nn.Module]:
    """Modules that hold weights or running statistics and are not among what the stage moves."""
    if not stage.trainable:
        return []
    prefixes = tuple(prefix.rstrip(".") for prefix in stage.trainable)
    return [module for name, module in network.named_modules() if name and not _under(name, prefixes)]


def _under(name: str, prefixes: tuple[str, ...]) -> bool:
    """The module is one of these, inside one, or around one."""
    return any(name.startswith(p) or p.startswith(f"{name}.") for p in prefixes)
