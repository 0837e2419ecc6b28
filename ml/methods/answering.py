"""Predictions of classifiers: passes by held dropout masks, and softmax. Shared by every method that says a class."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ml.blocks.dropout import held
from ml.methods.spec import Inference, Prediction


def binary(z: Tensor) -> Tensor:
    """Logits (..., 2) = [0, z] of the one logit of a binary task: its softmax is the sigmoid of z."""
    return torch.stack([torch.zeros_like(z), z], -1)


def over_passes(network: nn.Module, stage: str, inference: Inference, logits: Callable[[], Tensor]) -> Tensor:
    """(B, T, C) from `logits() -> (B, C)`, called once per pass with that pass's masks held; T = 1 without passes."""
    if not inference.passes:
        return logits().float()[:, None]
    passes = []
    for t in range(inference.passes):
        with held(network, dict(inference.masks[stage]), t):
            passes.append(logits().float())
    return torch.stack(passes, 1)


def classified(
    logits: Tensor, embedding: Tensor, inference: Inference, values: Mapping[str, Tensor] | None = None
) -> list[Prediction]:
    """One prediction per sample from logits (B, T, C) and embedding (B, D); values by name, each (B,)."""
    logits, embedding = logits.float().cpu(), embedding.float().cpu()
    samples = logits.softmax(-1)
    return [
        Prediction(
            probabilities=samples[n].mean(0),
            logits=logits[n].mean(0),
            samples=samples[n] if inference.passes else None,
            values={name: float(own[n]) for name, own in (values or {}).items()},
            embedding=embedding[n],
        )
        for n in range(len(logits))
    ]
