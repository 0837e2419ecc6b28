"""Normal or abnormal regions by a DenseNet-201 that learned something else before (row 9 of the review).

Source: X. Yu, N. Zeng, S. Liu, Y.-D. Zhang, "Utilization of DenseNet201 for diagnosis of breast abnormality", Machine
Vision and Applications 30, 2019, on Huang et al. 2017 (DenseNet).

As there: DenseNet-201 (dense blocks of 6, 12, 48 and 32 layers, growth 32), 224x224 regions that the radiologist gives,
a new last layer that is trained first with the rest frozen, then everything; SGD with momentum.

Departures, each a default: the source of the transfer is the images at hand, with or without a finding (`pretrain`;
`ml.methods.pretraining`: phantoms beside them where few are known or all are alike), or the operator's weights file,
since no ImageNet weights come with this project; `source="none"` leaves the trunk as such a file has it, or as it was
drawn, which is no transfer; one linear layer instead of the new fully connected ones; dropout 0.2 before it, for Monte-
Carlo passes; in `transfer_all` the trunk moves at a tenth of the rate. Asymmetry is adapted: regions of asymmetries
against all others, an image as suspicious as the worst square of a grid over its breast, whatever is marked in it; left
and right are not compared. `base` is DenseNet-121; `tiny` is ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.densenet import DenseNet
from ml.blocks.dropout import HeldDropout
from ml.methods import pretraining
from ml.methods.answering import classified, over_passes
from ml.methods.pretraining import Source, phantoms_stages
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
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

SOURCE_CLASSES = 2
"""With a finding and without: what the trunk learns before."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`margin`: side of a region over the longest side of its mark. Spacings are of regions and of whole images.

    `source` auto becomes presence, or phantoms where under 500 training images are known to show a finding or none, or
    all known ones are alike.
    """

    source: Source = "auto"
    phantoms: int = 400
    region_px: int = 224
    margin: float = 1.5
    target_spacing_mm: float = 0.1
    whole_spacing_mm: float = 0.9
    in_channels: int = 3
    layers: tuple[int, ...] = (6, 12, 48, 32)
    growth: int = 32
    width: int = 64
    dropout: float = 0.2
    batch: int = 16
    pretrain_steps: int | None = None
    pretrain_epochs: float = 30
    transfer_head_steps: int | None = None
    transfer_head_epochs: float = 5
    steps: int | None = None
    epochs: float = 25
    lr: float = 1e-3
    trunk_lr_factor: float = 0.1
    rotation_degrees: float = 180.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "region_px": 64,
        "target_spacing_mm": 0.4,
        "whole_spacing_mm": 3.2,
        "in_channels": 1,
        "layers": (2, 4, 4, 4),
        "growth": 8,
        "width": 16,
        "phantoms": 200,
        "pretrain_steps": 200,
        "transfer_head_steps": 50,
        "steps": 200,
        "lr": 2e-2,
    },
    "base": {"layers": (6, 12, 24, 16)},
    "large": {},
}


class DenseNetOfRegions(nn.Module):
    """(B, 1, 1, H, W) in [0, 1] to logits (B, C) and an embedding (B, D)."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.in_channels = config.in_channels
        self.trunk = DenseNet(config.layers, growth=config.growth, width=config.width, in_channels=config.in_channels)
        self.dropout = HeldDropout(self.trunk.feature_width, config.dropout)
        self.head = nn.Linear(self.trunk.feature_width, classes)

    def embed(self, x: Tensor) -> Tensor:
        """(B, 1, 1, H, W) to (B, D)."""
        mean, sd = self.input_norm
        return self.trunk.embed(((x[:, 0] - mean) / sd).expand(-1, self.in_channels, -1, -1))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        embedding = self.embed(x)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy, a mean over the batch."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def reads(config: Config, aim: Aim) -> Reads:
    """Squares around marks, and squares of breast without one."""
    return Reads(
        inputs=Inputs(unit="roi"),
        pixels={"target_spacing_mm": config.target_spacing_mm, "window": "percentile"},
        roi={"size_px": config.region_px, "margin": config.margin},
        augment={
            "flip_x": 0.5,
            "rotation_degrees": config.rotation_degrees,
            "gamma": 0.25,
            "contrast": 0.1,
            "brightness": 0.05,
            "noise": 0.02,
        },
        targets=("class",),
    )


def reads_whole(config: Config) -> Reads:
    """Whole images, with a finding or without: the source of the transfer."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={
            "target_spacing_mm": config.whole_spacing_mm,
            "size": (config.region_px, config.region_px),
            "window": "percentile",
        },
        augment={"flip_y": 0.5, "rotation_degrees": 10.0, "scale": 0.1, "translate_mm": 5.0, "gamma": 0.25},
        targets=("presence",),
    )


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Settle `source: auto` from the training rows."""
    return replace(config, source=pretraining.settled(config.source, rows))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Something else first, then the new last layer alone, then everything, the trunk slowly."""
    classes = len(aim.labels)

    def sgd(lr: float) -> Optimiser:
        return Optimiser(kind="sgd", lr=lr, momentum=0.9, weight_decay=1e-4)

    def planned(steps: int | None, epochs: float) -> dict[str, Any]:
        return {"steps": steps, "epochs": epochs, "batch": config.batch}

    whole = reads_whole(config)
    pretrain = Stage(
        name="pretrain",
        build=lambda: DenseNetOfRegions(config, SOURCE_CLASSES),
        loss=loss,
        reads=whole,
        optimiser=sgd(config.lr),
        sampler="class_balanced",
        head_prefixes=("head.",),
        validate="loss",
        pretrains=True,
        mixes=pretraining.MADE if config.source == "phantoms" else None,
        **planned(config.pretrain_steps, config.pretrain_epochs),
    )
    before = (
        *phantoms_stages(config.source, phantoms=config.phantoms, size_px=config.region_px, reads=whole),
        *(() if config.source == "none" else (pretrain,)),
    )
    return (
        *before,
        Stage(
            name="transfer_head",
            build=lambda: DenseNetOfRegions(config, classes),
            loss=loss,
            optimiser=sgd(config.lr),
            trainable=("head.",),
            starts_from=(Copied(stage="pretrain", prefix="trunk.", to="trunk."),) if before else (),
            sampler="class_balanced",
            head_prefixes=("head.",),
            validate="loss",
            **planned(config.transfer_head_steps, config.transfer_head_epochs),
        ),
        Stage(
            name="transfer_all",
            build=lambda: DenseNetOfRegions(config, classes),
            loss=loss,
            optimiser=sgd(config.lr),
            lr_factors={"trunk.": config.trunk_lr_factor},
            starts_from=(Copied(stage="transfer_head"),),
            sampler="class_balanced",
            head_prefixes=("head.",),
            **planned(config.steps, config.epochs),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of each region. The trunk runs once, the last layer once per pass."""
    network: Any = modules["transfer_all"]
    embedding = network.embed(batch.x).float()
    logits = over_passes(network, "transfer_all", inference, lambda: network.head(network.dropout(embedding)))
    return classified(logits, embedding, inference)


SPEC = MethodSpec(
    name="densenet201_transfer",
    seed_row=9,
    serves=(
        Serves(
            task="lesion_classification",
            fidelity="paper",
            claim_note="The row says asymmetry detection and classification. The paper is semi-automatic: the "
            "radiologist gives a region, the network says normal or abnormal, and asymmetry is one of several "
            "abnormalities; it reports 92.73 % accuracy (figure of the paper). Its trunk is the paper's, its source "
            "of transfer is not. Benign or malignant regions (the target `pathology`) are adapted.",
            target="presence",
        ),
        Serves(
            task="asymmetry",
            fidelity="adapted",
            claim_note="Learns regions of asymmetries against other regions, and then looks at an image all over, in "
            "squares. Left and right are never compared, so what is learned is what an asymmetry looks like, not "
            "asymmetry.",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="roi"),
    needs=(Need(label="box", min_train=2), Need(label="asymmetry", min_train=2, tasks=("asymmetry",))),
    sizes=("tiny", "base", "large"),
    reference="X. Yu et al., Utilization of DenseNet201 for diagnosis of breast abnormality, Machine Vision and "
    "Applications 30, 2019.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
)
