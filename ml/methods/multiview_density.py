"""Density of an exam from its four views, a column for CC and one for MLO (row 6 of the review).

Source: N. Wu et al., "Breast density classification with deep convolutional neural networks", ICASSP 2018, and its
public code for inference (nyukat/breast_density_classifier).

As in the code: each view 2600x2000, standardised to mean 0 and spread 1 by itself; fourteen 3x3 convolutions without
padding or norm; one column for CC and one for MLO, each shared by both sides; the map before the fourth stage padded by
one column at the right; averages concatenated in the order L-CC, R-CC, L-MLO, R-MLO, FC 1024, ReLU, dropout 0.5, FC 4;
noise of 0.01 on the input while training.

Training is a reconstruction, each a default: He start, Adam 1e-4 (1e-5 in the paper, as far as we know, where weights
go on from others), warm-up and cosine, classes balanced; small turns and scalings. `tiny` reads 256x192 with padding
everywhere, fewer and narrower convolutions and a faster rate; it is ours. A missing view is the same view of the other
breast, and said so (`stand_ins`); an exam without any CC or any MLO is left out. P(C) + P(D) is told where density is
evaluated, from the calibrated classes.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.dropout import HeldDropout
from ml.blocks.view_fusion import ViewEncoder
from ml.methods.answering import classified, over_passes
from ml.methods.densities import AUGMENT, NEEDS, NYU_EXAM, NYU_VIEWS, density_loss
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    MethodSpec,
    Modules,
    Optimiser,
    Prediction,
    Reads,
    Serves,
    Stage,
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """`stages`: widths of the convolutions of each stage; `first_strides` of the first of each; `pools` before it.

    `widened` is the stage (counted from 0) whose input is padded by a column at the right before it is pooled.
    """

    input_px: tuple[int, int] = (2600, 2000)
    target_spacing_mm: float = 0.1
    stages: tuple[tuple[int, ...], ...] = ((32,), (64,) * 3, (128,) * 3, (128,) * 3, (256,) * 3)
    first_strides: tuple[int, ...] = (2, 2, 1, 1, 1)
    pools: tuple[int, ...] = (1, 3, 2, 2, 2)
    padding: int = 0
    widened: int | None = 3
    norm: Literal["none", "bn"] = "none"
    hidden: int = 1024
    dropout: float = 0.5
    noise: float = 0.01
    batch: int = 4
    steps: int | None = None
    epochs: float = 60
    lr: float = 1e-4
    weight_decay: float = 1e-4
    smoothing: float = 0.05


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "input_px": (256, 192),
        "target_spacing_mm": 1.0,
        "stages": ((8,), (12, 12), (16, 16), (24, 24), (32, 32)),
        "first_strides": (2, 1, 1, 1, 1),
        "pools": (1, 2, 2, 2, 2),
        "padding": 1,
        "widened": None,
        "hidden": 64,
        "steps": 300,
        "lr": 1e-3,
    },
    "large": {},
}


class Column(nn.Module):
    """(N, 1, H, W) to (N, C): the convolutions of one kind of view, averaged."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        channels, stages = 1, []
        for widths, first in zip(config.stages, config.first_strides, strict=True):
            layers: list[nn.Module] = []
            for n, width in enumerate(widths):
                layers.append(nn.Conv2d(channels, width, 3, first if n == 0 else 1, config.padding))
                if config.norm == "bn":
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                channels = width
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The map after each stage."""
        found = []
        for n, (stage, pool) in enumerate(zip(self.stages, self.config.pools, strict=True)):
            if n == self.config.widened:
                x = functional.pad(x, (0, 1))
            x = stage(functional.max_pool2d(x, pool) if pool > 1 else x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(x)[-1].mean((2, 3))


class MultiviewNet(nn.Module):
    """(B, 4, 1, H, W) in [0, 1] to logits (B, K) and the hidden layer (B, `hidden`) as the embedding."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.noise = config.noise
        self.trunk = ViewEncoder(lambda: Column(config), NYU_VIEWS, share="laterality")
        self.fuse = nn.Linear(len(NYU_VIEWS) * config.stages[-1][-1], config.hidden)
        self.dropout = HeldDropout(config.hidden, config.dropout)
        self.head = nn.Linear(config.hidden, classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, 4, C), a vector for each view."""
        centred = x - x.mean((-2, -1), keepdim=True)
        x = centred / centred.square().mean((-2, -1), keepdim=True).sqrt().clamp(min=1e-5)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        found: Tensor = self.trunk(x)
        return found

    def embed(self, x: Tensor) -> Tensor:
        """(B, 4, 1, H, W) to (B, `hidden`)."""
        return torch.relu(self.fuse(self.features(x).flatten(1)))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        embedding = self.embed(x)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def reads(config: Config, aim: Aim) -> Reads:
    """Four views of one size, breasts against the left edge."""
    return Reads(
        inputs=NYU_EXAM,
        pixels={"target_spacing_mm": config.target_spacing_mm, "size": tuple(config.input_px), "window": "density"},
        augment=AUGMENT,
        targets=("density",),
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, from pixels to classes."""
    return (
        Stage(
            name="main",
            build=lambda: MultiviewNet(config, len(aim.labels)),
            loss=density_loss(config.smoothing),
            optimiser=Optimiser(kind="adamw", lr=config.lr, weight_decay=config.weight_decay),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("fuse.", "head."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of a batch; the columns run once, the last layer once per pass. `stand_ins` counts borrowed views."""
    network: Any = modules["main"]
    embedding = network.embed(batch.x).float()
    logits = over_passes(network, "main", inference, lambda: network.head(network.dropout(embedding)))
    return classified(logits, embedding, inference, {"stand_ins": (~batch.view_mask).sum(1)})


SPEC = MethodSpec(
    name="multiview_density",
    seed_row=6,
    serves=(
        Serves(
            task="density",
            fidelity="paper",
            claim_note="The review calls it transfer learning without fine-tuning; the paper trains a four-view "
            "network on over 200,000 screening exams, and whether it began from other weights could not be checked. "
            "The architecture is that of its public code, the training is a reconstruction.",
        ),
    ),
    findings=(),
    inputs=NYU_EXAM,
    needs=NEEDS,
    sizes=("tiny", "large"),
    reference="N. Wu et al., Breast density classification with deep convolutional neural networks, ICASSP 2018.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
