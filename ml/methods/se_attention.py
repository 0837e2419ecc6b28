"""Density of one image by Inception-v4 with a channel gate after every block (row 12 of the review).

Source: J. Deng et al., "Classification of breast density categories based on SE-Attention neural networks", Computer
Methods and Programs in Biomedicine 193, 2020; Szegedy et al. 2017 (Inception-v4), Hu et al. 2018 (gates).

As there: squeeze-and-excitation gates (x*g, reduction 16) in Inception-v4, 299x299, an auxiliary loss (0.4), transfer.

Ours, since the paper was read in its abstract alone: a gate after every one of the 14 blocks; the auxiliary head after
the last block B; the source of the transfer (`ml.methods.pretraining`: presence of findings, phantoms where little is
known of them, or an operator's file), the trunk at a tenth of the rate of the heads; AdamW, small turns and scalings,
balanced classes, smoothed labels; pixels normed by (x - 0.5) / 0.5, as published weights of this family want them.
Dropout 0.2 before the last layer is held in Monte-Carlo passes. `base` halves all widths; `tiny` has one block A and
one B of an eighth, at 96 px.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import Tensor, nn

from ml.blocks.backbones import backbone
from ml.blocks.channel_gate import ChannelGate, gate_means, gates_seen
from ml.blocks.dropout import HeldDropout
from ml.blocks.inception_parts import AuxiliaryHead
from ml.blocks.inception_v4 import InceptionV4
from ml.blocks.losses import soft_cross_entropy
from ml.methods import pretraining
from ml.methods.answering import classified, over_passes
from ml.methods.densities import AUGMENT, NEEDS, density_loss
from ml.methods.pretraining import Source, presence_stages
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
    Inference,
    Inputs,
    Loss,
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

INPUT_NORM = (0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Config:
    """`source` auto becomes presence, or phantoms where under 500 training images are known to show a finding or none.

    `aux_widths` are those of the two convolutions of the auxiliary head, `trunk_rate` the trunk's share of `lr`.
    """

    trunk: str = "inception_v4"
    input_px: int = 299
    target_spacing_mm: float = 0.8
    in_channels: int = 3
    reduction: int = 16
    aux_widths: tuple[int, int] = (128, 768)
    aux_weight: float = 0.4
    dropout: float = 0.2
    source: Source = "auto"
    phantoms: int = 400
    batch: int = 32
    steps: int | None = None
    epochs: float = 30
    pretrain_steps: int | None = None
    pretrain_epochs: float = 15
    pretrain_lr: float = 3e-4
    lr: float = 1e-3
    trunk_rate: float = 0.1
    weight_decay: float = 0.05
    smoothing: float = 0.05


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "trunk": "tiny_inception_v4",
        "input_px": 96,
        "target_spacing_mm": 2.4,
        "in_channels": 1,
        "reduction": 4,
        "aux_widths": (16, 96),
        "phantoms": 200,
        "batch": 16,
        "steps": 240,
        "pretrain_steps": 120,
        "pretrain_lr": 3e-3,
        "lr": 1e-2,
    },
    "base": {"trunk": "base_inception_v4", "in_channels": 1, "aux_widths": (64, 384)},
    "large": {},
}


def gated_trunk(config: Config) -> InceptionV4:
    """The trunk with a plain gate after every block."""

    def gate(channels: int) -> ChannelGate:
        return ChannelGate(channels, config.reduction, residual=False)

    return cast(InceptionV4, backbone(config.trunk, in_channels=config.in_channels, gate=gate))


def seen(config: Config, batch: Batch) -> Tensor:
    """(B, I, H, W) normed."""
    mean, sd = INPUT_NORM
    return ((batch.x[:, 0] - mean) / sd).expand(-1, config.in_channels, -1, -1)


class SeNet(nn.Module):
    """What `seen` gives to logits (B, K); in training the auxiliary logits, too. The embedding is the pooled map."""

    input_norm = INPUT_NORM

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.trunk = gated_trunk(config)
        self.auxiliary = AuxiliaryHead(self.trunk.widths[1], classes, config.aux_widths)
        self.dropout = HeldDropout(self.trunk.embed_width, config.dropout)
        self.head = nn.Linear(self.trunk.embed_width, classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.trunk(x)
        embedding = self.trunk.summary(maps[-1])
        said = {"logits": self.head(self.dropout(embedding)), "embedding": embedding}
        if self.training:
            said["auxiliary"] = self.auxiliary(maps[1])
        return said


def loss(config: Config) -> Loss:
    """Cross-entropy of the head and, in training, of the auxiliary head."""
    main = density_loss(config.smoothing)

    def both(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        losses = main(outputs, batch)
        if "auxiliary" in outputs:
            other = soft_cross_entropy(outputs["auxiliary"], batch.targets["density"]).mean()
            losses["auxiliary"] = config.aux_weight * other
        return losses

    return both


def reads(config: Config, aim: Aim) -> Reads:
    """One image, its shape kept in a square."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={
            "target_spacing_mm": config.target_spacing_mm,
            "size": (config.input_px, config.input_px),
            "window": "density",
        },
        augment=AUGMENT,
        targets=("density",),
    )


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Settle `source: auto` from the training rows."""
    return replace(config, source=pretraining.settled(config.source, rows))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Presence of findings, then density with all layers; or density from scratch."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        said: Outputs = modules["transfer"](seen(config, batch))
        return said

    before = presence_stages(
        config.source,
        trunk=lambda: gated_trunk(config),
        pixels=lambda modules, batch: seen(config, batch),
        reads=replace(reads(config, aim), targets=("presence",)),
        phantoms=config.phantoms,
        size_px=config.input_px,
        optimiser=Optimiser(lr=config.pretrain_lr, weight_decay=config.weight_decay),
        steps=config.pretrain_steps,
        epochs=config.pretrain_epochs,
        batch=config.batch,
    )
    return (
        *before,
        Stage(
            name="transfer",
            build=lambda: SeNet(config, len(aim.labels)),
            loss=loss(config),
            forward=forward,
            optimiser=Optimiser(lr=config.lr if before else config.pretrain_lr, weight_decay=config.weight_decay),
            lr_factors={"trunk.": config.trunk_rate} if before else {},
            starts_from=(Copied(stage="pretrain", prefix="trunk.", to="trunk."),) if before else (),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("head.", "auxiliary."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of the main head; the trunk runs once. `gate_<n>` is the mean value of the n-th gate."""
    network: Any = modules["transfer"]
    with gates_seen(network.trunk) as gates:
        embedding = network.trunk.embed(seen(config, batch)).float()
    logits = over_passes(network, "transfer", inference, lambda: network.head(network.dropout(embedding)))
    return classified(logits, embedding, inference, gate_means(gates, len(embedding)))


SPEC = MethodSpec(
    name="se_attention",
    seed_row=12,
    serves=(
        Serves(
            task="density",
            fidelity="reconstruction",
            claim_note="The review lists it for asymmetry; the paper is about density A to D, on 18,157 images, with "
            "Inception-v4 as its best trunk at about 92 % accuracy (figures of the paper, the last from memory). The "
            "idea is the paper's, where the gates stand is ours. `se_asymmetry` serves what the review claims.",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="image"),
    needs=NEEDS,
    sizes=("tiny", "base", "large"),
    reference="J. Deng et al., Classification of breast density categories based on SE-Attention neural networks, "
    "Computer Methods and Programs in Biomedicine 193, 2020.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
)
