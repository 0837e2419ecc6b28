"""Density from one, two or four views by a dilated, channel-gated ResNet-50 (row 10 of the review).

Source: C. Li et al., "Multi-view mammographic density classification by dilated and attention-guided residual
learning", IEEE/ACM TCBB 18(3), 2021, and its public code (lich0031/Mammographic_Density_Classification).

As in the code: ResNet-50 with stages 3 and 4 at stride 1 and dilation 2 and 4 (output stride 8), a residual channel
gate x*g + x after the stem and after every stage, 224x224 pixels squashed to the square, (x - 0.5) / 0.5, Adam
(amsgrad) 1e-3 halved every 30 epochs, batch 16, 30 epochs of single views or 100 of four, flips both ways and rotation;
views share the trunk, their pooled vectors are concatenated and pass FC 2048, FC 512, FC 4.

Departures, each a default: every block of the dilated stages is dilated (`dilation_scope="all"`, what "dilated
residual" means; the code dilates the first alone, "first" reproduces it); rotation +-10 degrees instead of +-90;
dropout 0.3 before the last layer, for Monte-Carlo passes; the sampler balances classes. `tiny` and `base` are ours.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ml.blocks.channel_gate import ChannelGate, gate_means, gates_seen
from ml.blocks.dropout import HeldDropout
from ml.blocks.losses import soft_cross_entropy
from ml.blocks.norm import Norm
from ml.blocks.residual import Bottleneck
from ml.blocks.resnet import ResNet
from ml.methods.answering import classified, over_passes
from ml.methods.reading import FOUR_VIEWS, IMAGE, TWO_VIEWS
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Inputs,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs.manifest import ManifestRow
from ml.runs.needs import Need

CLASSES = 4
EPOCHS = {"four": 100}
"""Of the code, by its views; 30 of others."""
HALVED_EVERY = 30
"""Epochs between two halvings of the rate; a plan in steps, which knows of no epochs, is halved at its thirds."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`views` auto becomes four where 90 % of the training exams have all four views, else single.

    `epochs` None become the code's: 100 of four views, else 30.
    """

    views: Literal["auto", "single", "two", "four"] = "auto"
    input_px: int = 224
    target_spacing_mm: float = 0.8
    in_channels: int = 3
    width: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)
    hidden: tuple[int, int] = (2048, 512)
    dilation_scope: Literal["all", "first"] = "all"
    norm: Norm = "bn"
    dropout: float = 0.3
    batch: int = 16
    steps: int | None = None
    epochs: float | None = None
    lr: float = 1e-3
    class_weights: tuple[float, ...] | None = None
    smoothing: float = 0.05
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "input_px": 96,
        "in_channels": 1,
        "width": 16,
        "depths": (1, 1, 1, 1),
        "hidden": (512, 128),
        "steps": 240,
    },
    "base": {"input_px": 224, "in_channels": 1, "width": 32, "depths": (2, 2, 2, 2), "hidden": (1024, 256)},
    "large": {},
}


class DcseNet(nn.Module):
    """(B, V, 1, H, W) to logits (B, 4) and an embedding: the pooled map of one view, else the 512-wide layer."""

    input_norm = (0.5, 0.5)

    def __init__(self, config: Config, views: int) -> None:
        super().__init__()
        self.views, self.in_channels = views, config.in_channels
        self.trunk = ResNet(
            Bottleneck,
            config.depths,
            width=config.width,
            in_channels=config.in_channels,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            dilation_scope=config.dilation_scope,
            norm=config.norm,
            gate=ChannelGate,
        )
        features = self.trunk.widths[-1]
        if views > 1:
            wide, narrow = config.hidden
            self.fuse: nn.Module = nn.Sequential(
                nn.Linear(views * features, wide), nn.ReLU(), nn.Linear(wide, narrow), nn.ReLU()
            )
            features = narrow
        else:
            self.fuse = nn.Identity()
        self.dropout = HeldDropout(features, config.dropout)
        self.head = nn.Linear(features, CLASSES)

    def embed(self, x: Tensor) -> Tensor:
        """(B, V, 1, H, W) in [0, 1] to (B, D)."""
        b, v, _, h, w = x.shape
        if v != self.views:
            raise ValueError(f"this network reads {self.views} views, got {v}")
        mean, sd = self.input_norm
        flat = ((x - mean) / sd).reshape(b * v, 1, h, w).expand(-1, self.in_channels, -1, -1)
        pooled = self.trunk(flat)[-1].mean((2, 3))
        return self.fuse(pooled.reshape(b, -1))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        embedding = self.embed(x)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def loss(config: Config) -> Any:
    """Cross-entropy against the readers' shares, smoothed; the mean over the batch."""
    weights = None if config.class_weights is None else torch.tensor(config.class_weights)

    def density_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        target = batch.targets["density"]
        target = target * (1 - config.smoothing) + config.smoothing / CLASSES
        weight = None if weights is None else weights.to(target)
        return {"cross_entropy": soft_cross_entropy(outputs["logits"], target, weight).mean()}

    return density_loss


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Settle `views: auto` from the training exams, and with the views the epochs that nobody named."""
    views = _views(rows) if config.views == "auto" else config.views
    epochs = EPOCHS.get(views, 30) if config.epochs is None else config.epochs
    return replace(config, views=views, epochs=epochs)


def _views(rows: Sequence[ManifestRow]) -> Literal["single", "four"]:
    exams: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        exams[row.exam_id].add(f"{row.laterality}-{row.view}")
    complete = sum(set(FOUR_VIEWS) <= views for views in exams.values())
    return "four" if exams and complete >= 0.9 * len(exams) else "single"


def optimiser(config: Config) -> Optimiser:
    """Adam, halved every 30 epochs."""
    steady = Optimiser(kind="adam", amsgrad=True, lr=config.lr, schedule="step")
    if config.steps is not None or config.epochs is None:
        return steady
    halvings = range(HALVED_EVERY, math.ceil(config.epochs), HALVED_EVERY)
    return replace(steady, steps_at=tuple(epoch / config.epochs for epoch in halvings))


def inputs_of(config: Config) -> Inputs:
    """One image, the two views of a breast, or the four of an exam."""
    if config.views == "four":
        return Inputs(unit="exam", views=FOUR_VIEWS, missing="other_side")
    if config.views == "two":
        return Inputs(unit="breast", views=TWO_VIEWS, missing="drop")
    return IMAGE


def reads(config: Config, aim: Aim) -> Reads:
    """Images squashed to the square, as the code has them."""
    return Reads(
        inputs=inputs_of(config),
        pixels={
            "target_spacing_mm": config.target_spacing_mm,
            "size": (config.input_px, config.input_px),
            "fit": "squash",
            "window": "density",
        },
        augment={
            "flip_x": 0.5,
            "flip_y": 0.5,
            "rotation_degrees": config.rotation_degrees,
            "scale": 0.1,
            "gamma": 0.1,
            "noise": 0.02,
        },
        targets=("density",),
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, from pixels to classes."""
    views = len(inputs_of(config).views) or 1
    return (
        Stage(
            name="main",
            build=lambda: DcseNet(config, views),
            loss=loss(config),
            optimiser=optimiser(config),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="plain" if config.class_weights else "class_balanced",
            head_prefixes=("fuse.", "head."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of a batch; with passes, their mean. The trunk runs once, the last layer once per pass.

    `gate_<n>` is the mean value of the n-th gate.
    """
    network: Any = modules["main"]
    with gates_seen(network.trunk) as gates:
        embedding = network.embed(batch.x).float()
    logits = over_passes(network, "main", inference, lambda: network.head(network.dropout(embedding)))
    return classified(logits, embedding, inference, gate_means(gates, len(embedding)))


SPEC = MethodSpec(
    name="dcse_resnet50",
    seed_row=10,
    serves=(
        Serves(
            task="density",
            fidelity="paper",
            claim_note="The paper reports 88.7 % accuracy on its clinical set of 500 patients and 70.0 % on INbreast, "
            "with at least two points from several views (figures of the paper).",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="exam", views=FOUR_VIEWS, missing="other_side"),
    needs=(Need(label="density", min_train=4, min_classes=2),),
    sizes=("tiny", "base", "large"),
    reference="C. Li et al., Multi-view mammographic density classification by dilated and attention-guided residual "
    "learning, IEEE/ACM TCBB 18(3), 2021.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
)
