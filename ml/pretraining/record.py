"""The records of the kinds, as the loop knows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import nn

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
from ml.pretraining import NAMES, SIZES
from ml.pretraining.donee import Trunk, donee
from ml.pretraining.recipes import Bootstrap, Denoising, Masked, Siamese, ViewPairs
from ml.runs.manifest import ManifestRow

STAGE = "pretrain"
COLLAPSED_BELOW = 0.2
"""Of 1: vectors whose spread is smaller point the same way, whatever they were made of."""
SIDE = 224
AIM = Aim(task="pretrain", labels=(), target="none")
NETWORKS: dict[str, Callable[[str, str, int], Trunk]] = {
    "simsiam": Siamese,
    "byol": Bootstrap,
    "denoising": Denoising,
    "masked": Masked,
    "view_pairs": ViewPairs,
}
REFERENCES = {
    "simsiam": "X. Chen and K. He, Exploring simple siamese representation learning, CVPR 2021",
    "byol": "J.-B. Grill et al., Bootstrap your own latent, NeurIPS 2020",
    "denoising": "P. Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008",
    "masked": "K. He et al., Masked autoencoders are scalable vision learners, CVPR 2022",
    "view_pairs": "A. van den Oord et al., Representation learning with contrastive predictive coding, 2018",
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """`donee` is the method, `donee_size` its size, whose trunk is taught. crop_px: side of a crop, None = its input.

    lr is for a batch of 256 and falls with the batch where the kind is simsiam, byol or view_pairs (SGD).
    """

    donee: str
    donee_size: str = "tiny"
    crop_px: int | None = None
    batch: int = 32
    steps: int | None = None
    epochs: float = 200
    lr: float | None = None


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {"donee": "dcse_resnet50", "batch": 16, "steps": 300},
    "base": {"donee": "dcse_resnet50", "donee_size": "base", "batch": 64},
    "large": {"donee": "dcse_resnet50", "donee_size": "large", "batch": 128},
}


def side_of(config: Config) -> int:
    """Side of a crop in pixels of the network."""
    return config.crop_px or donee(config.donee, config.donee_size).side or SIDE


def optimiser_of(kind: str, config: Config) -> Optimiser:
    """SGD at .05 * batch / 256 for those that compare, but no less than a small batch can use; AdamW to draw."""
    if kind in ("denoising", "masked"):
        return Optimiser(kind="adamw", lr=config.lr or 1e-3)
    lr = (config.lr or 0.05) * max(config.batch / 256, 0.25)
    return Optimiser(kind="sgd", lr=lr, weight_decay=1e-4)


def told_steps(network: nn.Module, steps: int) -> None:
    """How many steps there will be, for what has to end with them."""
    cast(Trunk, network).steps = steps


def spec_of(kind: str) -> MethodSpec:
    """The record of a kind."""
    pairs = kind == "view_pairs"
    inputs = Inputs(unit="breast", views=("CC", "MLO")) if pairs else Inputs(unit="image")

    def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
        return replace(config, crop_px=side_of(config))

    def reads(config: Config, aim: Aim) -> Reads:
        return Reads(inputs=inputs, pixels=donee(config.donee, config.donee_size).pixels)

    def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
        side = side_of(config)

        def forward(modules: Modules, batch: Batch) -> Outputs:
            return {"loss": modules[STAGE](batch)}

        return (
            Stage(
                name=STAGE,
                build=lambda: NETWORKS[kind](config.donee, config.donee_size, side),
                forward=forward,
                loss=lambda outputs, batch: {kind: outputs["loss"]},
                tells=lambda modules: {"spread": float(modules[STAGE].get_buffer("spread"))},
                reads=reads(config, aim),
                optimiser=optimiser_of(kind, config),
                trainable=("trunk.", "projector.", "predictor.", "decoder."),
                planned=told_steps,
                steps=config.steps,
                epochs=config.epochs,
                batch=config.batch,
                validate="none",
            ),
        )

    def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
        network: Any = modules[STAGE]
        return [Prediction(embedding=own.cpu()) for own in network.embed(batch.x[:, 0])]

    return MethodSpec(
        name=kind,
        seed_row=None,
        serves=(
            Serves(task="pretrain", fidelity="adapted", claim_note="no figure of the paper applies to mammograms"),
        ),
        findings=(),
        inputs=inputs,
        needs=(),
        sizes=SIZES,
        reference=REFERENCES[kind],
        config=Config,
        defaults=DEFAULTS,
        reads=reads,
        stages=stages,
        predict=predict,
        plan=plan,
        unsure_by="entropy",
    )


SPECS = {kind: spec_of(kind) for kind in NAMES}
