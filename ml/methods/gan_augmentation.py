"""Regions with or without a lesion, learned from real ones and from ones that two networks made up (row 8).

Source: S. Guan, M. Loew, "Breast cancer detection using synthetic mammograms from generative adversarial networks in
convolutional neural networks", J. Med. Imaging 6(3), 2019, and its public code
(ShuyueG/gan-for-breast-cancer-detection).

As in the code: 320x320 regions; one unconditional GAN per class; the generator's nearest upsampling, convolutions, ReLU
and BatchNorm (momentum 0.5), pixels in [-1, 1]; the discriminator's four convolutions with ReLU, maximum and dropout
0.25, without BatchNorm; a step is the discriminator on half a batch of real and half a batch of generated regions, then
the generator on a whole batch; the small classifier with one hidden layer of 64 and dropout 0.5; NAdam 1e-4; as many
made regions as real ones, and no affine variation beside them. Nothing but training regions is ever imitated, and what
was made is seen by the classifier's training alone.

Departures: large steps are those of the code, `base` and `tiny` are ours; generated colour is averaged to grey; classes
other than normal and abnormal (benign and malignant) are imitated in the same way. The networks can find lesions on
whole images only by windows. The VGG-16 of the authors' earlier paper is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.dropout import HeldDropout
from ml.methods.answering import binary, classified, over_passes
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Inputs,
    Lesson,
    MethodSpec,
    Modules,
    Mover,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
    TrainStep,
)
from ml.runs.needs import Need

GANS = ("gan_normal", "gan_abnormal")
"""The stage that imitates each class, in the order of the labels."""
MADE_AT_ONCE = 32
SHEET = 9


@dataclass(frozen=True, kw_only=True)
class Config:
    """`ratio`: made regions for each real one. `seed_width`, `widths`: the generator's channels, before and after each
    doubling. `gan_batch`: half of it real regions."""

    region_px: int = 320
    target_spacing_mm: float = 0.1
    in_channels: int = 3
    latent: int = 100
    seed_width: int = 256
    widths: tuple[int, ...] = (256, 128, 64, 32)
    discriminator_widths: tuple[int, ...] = (32, 64, 128, 256)
    discriminator_dropout: float = 0.25
    classifier_widths: tuple[int, ...] = (32, 32, 64)
    hidden: int = 64
    dropout: float = 0.5
    ratio: float = 1.0
    gan_batch: int = 30
    gan_steps: int = 100_001
    gan_lr: float = 1e-4
    batch: int = 26
    steps: int | None = None
    epochs: float = 750
    lr: float = 1e-4


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "region_px": 32,
        "target_spacing_mm": 0.8,
        "in_channels": 1,
        "latent": 32,
        "seed_width": 32,
        "widths": (32, 16, 16),
        "discriminator_widths": (8, 16, 32),
        "classifier_widths": (8, 8, 16),
        "gan_steps": 500,
        "gan_lr": 5e-4,
        "steps": 300,
        "lr": 1e-3,
    },
    "base": {
        "region_px": 64,
        "target_spacing_mm": 0.4,
        "in_channels": 1,
        "seed_width": 128,
        "widths": (128, 64, 32),
        "discriminator_widths": (32, 64, 128),
        "gan_steps": 10_000,
        "epochs": 200,
    },
    "large": {},
}


class Generator(nn.Module):
    """Noise (N, Z) to regions (N, I, S, S) in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.region_px // 2 ** len(config.widths)
        self.first = nn.Linear(config.latent, config.seed_width * self.side**2)
        self.norm = nn.BatchNorm2d(config.seed_width, momentum=0.5)
        layers: list[nn.Module] = []
        channels = config.seed_width
        for width in config.widths:
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.BatchNorm2d(width, momentum=0.5),
            ]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, config.in_channels, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        x = functional.relu(self.first(z)).unflatten(1, (-1, self.side, self.side))
        made: Tensor = self.layers(self.norm(x))
        return made


class Discriminator(nn.Module):
    """Regions (N, I, S, S) in [-1, 1] to logits (N,) of being real."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = config.in_channels, config.region_px
        for width in config.discriminator_widths:
            layers += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
                nn.Dropout(config.discriminator_dropout),
            ]
            channels, side = width, side // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side**2, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)[:, 0]
        return logits


class Gan(nn.Module):
    """Both networks of one class."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)


class Classifier(nn.Module):
    """(B, 1, 1, S, S) in [0, 1] to logits (B, 2) = [0, z] and the hidden layer (B, D)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels = config.in_channels
        layers: list[nn.Module] = []
        channels, side = config.in_channels, config.region_px
        for width in config.classifier_widths:
            layers += [nn.Conv2d(channels, width, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            channels, side = width, (side - 2) // 2
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(channels * side**2, config.hidden)
        self.dropout = HeldDropout(config.hidden, config.dropout)
        self.head = nn.Linear(config.hidden, 1)

    def embed(self, x: Tensor) -> Tensor:
        """(B, 1, 1, S, S) to (B, D)."""
        maps = self.convolutions(x[:, 0].expand(-1, self.in_channels, -1, -1))
        return functional.relu(self.hidden(maps.flatten(1)))

    def logits(self, embedding: Tensor) -> Tensor:
        """(B, D) to (B, 2)."""
        return binary(self.head(self.dropout(embedding))[:, 0])

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        embedding = self.embed(x)
        return {"logits": self.logits(embedding), "embedding": embedding}


def gan_step(config: Config, stage: str) -> TrainStep:
    """Half a batch of real regions and half a batch of made ones for the discriminator, a whole one for the other."""

    def step(
        modules: Modules, movers: Mapping[str, Mover], batch: Batch, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        gan: Any = modules[stage]
        real = (2 * batch.x[:, 0] - 1).expand(-1, config.in_channels, -1, -1)

        def noise(count: int) -> Tensor:
            return torch.randn(count, config.latent, generator=generator).to(real)

        def judged(x: Tensor, as_real: bool) -> Tensor:
            logits = gan.discriminator(x).float()
            return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(as_real)))

        def made(z: Tensor) -> Tensor:
            # As where a generator is asked without learning: at rest, so that its statistics stay too.
            gan.generator.eval()
            with torch.no_grad():
                found: Tensor = gan.generator(z)
            gan.generator.train()
            return found

        count, (few, many) = len(real), (noise(len(real)), noise(2 * len(real)))
        discriminator, other = movers["discriminator."], movers["generator."]
        on_real = discriminator.move(count, lambda part: judged(real[part], as_real=True))
        on_made = discriminator.move(count, lambda part: judged(made(few[part]), as_real=False))
        fooled = other.move(2 * count, lambda part: judged(gan.generator(many[part]), as_real=True))
        return {"discriminator": (on_real + on_made) / 2, "generator": fooled}

    return step


def made_regions(gan: Gan, count: int, config: Config, seed: int) -> Tensor:
    """(count, 1, S, S) in [0, 1]; a function of the seed, whatever the number made at once."""
    z = torch.randn(count, config.latent, generator=torch.Generator().manual_seed(seed))
    device = next(gan.parameters()).device
    parts = [gan.generator(part.to(device)).mean(1, keepdim=True).cpu() for part in z.split(MADE_AT_ONCE) if len(part)]
    return (torch.cat(parts) + 1) / 2 if parts else torch.zeros(0, 1, config.region_px, config.region_px)


def generate(lesson: Lesson) -> None:
    """Keep made regions of each class as `made`, and nine of each to look at as `sheet`."""
    config: Config = lesson.config
    classes = torch.cat([batch.targets["class"].cpu() for batch in lesson.batches("train")])
    x, labels, sheets = [], [], []
    for k, stage in enumerate(GANS):
        gan: Any = lesson.modules[stage]
        count = round(config.ratio * int((classes == k).sum()))
        x.append(made_regions(gan, count, config, 2 * lesson.seed + k))
        labels.append(torch.full((count,), k))
        sheets.append(made_regions(gan, SHEET, config, 2 * lesson.seed + k))
    lesson.keep("made", {"x": torch.cat(x), "class": torch.cat(labels)})
    lesson.keep("sheet", {"x": torch.stack(sheets)})


def loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy, a mean over the batch."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def reads(config: Config, aim: Aim) -> Reads:
    """Squares close around lesions and of breast without any, as they are."""
    return reads_of(config, "class")


def reads_of(config: Config, target: str) -> Reads:
    """The same regions, those that a target teaches."""
    return Reads(
        inputs=Inputs(unit="roi"),
        pixels={"target_spacing_mm": config.target_spacing_mm, "window": "percentile"},
        roi={"size_px": config.region_px, "margin": 1.0},
        targets=(target,),
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """A GAN for each class, regions made by both, and the classifier of real and made ones."""
    nadam = Optimiser(kind="nadam", lr=config.gan_lr, schedule="constant", clip_norm=1e6)
    gans = tuple(
        Stage(
            name=name,
            build=lambda: Gan(config),
            train_step=gan_step(config, name),
            reads=reads_of(config, f"class_{k}"),
            optimisers={"discriminator.": nadam, "generator.": nadam},
            steps=config.gan_steps,
            batch=config.gan_batch // 2,
            validate="none",
            pretrains=True,
        )
        for k, name in enumerate(GANS)
    )
    return (
        *gans,
        Stage(name="generate", kind="extract", build=nn.Identity, learn=generate, validate="none"),
        Stage(
            name="classify",
            build=lambda: Classifier(config),
            loss=loss,
            optimiser=Optimiser(kind="nadam", lr=config.lr, schedule="constant"),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            mixes="generate:made",
            consumes=("generate:made",),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The classifier of each region; its convolutions run once, its last layer once per pass."""
    network: Any = modules["classify"]
    embedding = network.embed(batch.x).float()
    logits = over_passes(network, "classify", inference, lambda: network.logits(embedding))
    return classified(logits, embedding, inference)


SPEC = MethodSpec(
    name="gan_augmentation",
    seed_row=8,
    serves=(
        Serves(
            task="lesion_classification",
            fidelity="paper",
            claim_note="The row says detection and classification of masses by a generative model. The paper "
            "classifies given regions of DDSM as normal or abnormal and detects nothing; made regions beside real ones "
            "raise its validation accuracy by about 3.6 % over affine variation, and cannot replace real ones (figures "
            "of the paper). Benign or malignant regions (the target `pathology`) are adapted.",
            target="presence",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="roi"),
    needs=(Need(label="box", min_train=2),),
    sizes=("tiny", "base", "large"),
    reference="S. Guan, M. Loew, Breast cancer detection using synthetic mammograms from generative adversarial "
    "networks in convolutional neural networks, J. Med. Imaging 6(3) 031411, 2019.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
