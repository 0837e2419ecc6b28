"""Asymmetry of both breasts in one view by the trunk of `se_attention`, gated by what the sides differ in (ours).

The review claims asymmetry for Deng et al. 2020, whose paper is about density; this is their idea, gates in
Inception-v4, adapted to the review's claim.

Right and left share the trunk. Every gate is squeezed from [mean R + mean L, |mean R - mean L|] (2C to C/16 to C) and
is the same for both sides; the last maps [R + L, |R - L|] are averaged, FC 256, ReLU, dropout 0.3, one logit. So
exchanging the sides changes nothing. Outlines are brought together before (`ml.blocks.pair_alignment`), since a
difference of maps means nothing where they do not fit. All of it is ours.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbones import backbone
from ml.blocks.channel_gate import ChannelGate
from ml.blocks.dropout import HeldDropout
from ml.blocks.pair_alignment import aligned
from ml.methods.answering import binary, classified, over_passes
from ml.methods.reading import PAIR, pairs
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs.needs import Need


@dataclass(frozen=True, kw_only=True)
class Config:
    """`reduction` is that of the gates, `hidden` the layer before the last."""

    trunk: str = "inception_v4"
    input_px: int = 299
    target_spacing_mm: float = 0.8
    in_channels: int = 3
    reduction: int = 16
    hidden: int = 256
    dropout: float = 0.3
    batch: int = 16
    steps: int | None = None
    epochs: float = 60
    lr: float = 3e-4
    weight_decay: float = 0.05


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "trunk": "tiny_inception_v4",
        "input_px": 96,
        "target_spacing_mm": 2.4,
        "in_channels": 1,
        "reduction": 4,
        "hidden": 64,
        "batch": 8,
        "steps": 300,
        "lr": 3e-3,
    },
    "large": {},
}


class PairGate(nn.Module):
    """One gate for both sides: maps (2B, C, H, W), right sides first, to the same under x*g.

    `use_difference` False puts zeros in the place of what the sides differ in.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = ChannelGate(channels, reduction, residual=False, summary_channels=2 * channels)
        self.use_difference = True

    def values(self, x: Tensor) -> Tensor:
        """(B, C) in (0, 1)."""
        right, left = x.mean((2, 3)).chunk(2)
        apart = (right - left).abs() if self.use_difference else torch.zeros_like(right)
        return self.gate.gate_of(torch.cat([right + left, apart], 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate.apply_gate(x, self.values(x).repeat(2, 1))


class PairNet(nn.Module):
    """(B, 2, 1, H, W) in [0, 1], right first, to the logit (B,); the embedding is the averaged pair of maps (B, 2C)."""

    input_norm = (0.5, 0.5)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels = config.in_channels
        self.trunk = backbone(
            config.trunk, in_channels=config.in_channels, gate=lambda channels: PairGate(channels, config.reduction)
        )
        self.hidden = nn.Linear(2 * self.trunk.feature_width, config.hidden)
        self.dropout = HeldDropout(config.hidden, config.dropout)
        self.head = nn.Linear(config.hidden, 1)

    def embed(self, x: Tensor) -> Tensor:
        """What both sides show, and what they differ in."""
        mean, sd = self.input_norm
        sides = torch.cat([x[:, 0], x[:, 1]])
        right, left = self.trunk(((sides - mean) / sd).expand(-1, self.in_channels, -1, -1))[-1].chunk(2)
        return torch.cat([right + left, (right - left).abs()], 1).mean((2, 3))

    def judged(self, embedding: Tensor) -> Tensor:
        """(B,)"""
        z: Tensor = self.head(self.dropout(torch.relu(self.hidden(embedding))))
        return z[:, 0]

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        embedding = self.embed(x)
        return {"z": self.judged(embedding), "embedding": embedding}


def forward(modules: Modules, batch: Batch) -> Outputs:
    """Both sides brought together, then compared."""
    said: Outputs = modules["main"](aligned(batch.x, batch.breast)[0])
    return said


def asymmetry_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy of the pair."""
    return {"pair": functional.cross_entropy(binary(outputs["z"]).float(), batch.targets["class"], ignore_index=-1)}


def reads(config: Config, aim: Aim) -> Reads:
    """Both breasts in one view."""
    return pairs(config, (config.input_px, config.input_px), "class")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage."""
    return (
        Stage(
            name="main",
            build=lambda: PairNet(config),
            loss=asymmetry_loss,
            forward=forward,
            optimiser=Optimiser(lr=config.lr, weight_decay=config.weight_decay),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("hidden.", "head."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The pair's probability; the trunk runs once."""
    network: Any = modules["main"]
    embedding = network.embed(aligned(batch.x, batch.breast)[0]).float()
    logits = over_passes(network, "main", inference, lambda: binary(network.judged(embedding)))
    return classified(logits, embedding, inference)


SPEC = MethodSpec(
    name="se_asymmetry",
    seed_row=12,
    serves=(
        Serves(
            task="asymmetry",
            fidelity="adapted",
            claim_note="Adapted from Deng et al. 2020, which the review lists for asymmetry although the paper is "
            "about density: the gates of the paper, squeezed from both breasts. No figure of it is about asymmetry.",
        ),
    ),
    findings=("asymmetry",),
    inputs=PAIR,
    needs=(Need(label="pair_class", min_train=4, min_classes=2, min_per_class=2),),
    sizes=("tiny", "large"),
    reference="J. Deng et al., Classification of breast density categories based on SE-Attention neural networks, "
    "Computer Methods and Programs in Biomedicine 193, 2020 (adapted).",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
