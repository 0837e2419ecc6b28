"""Density of one image by AlexNet, fine-tuned or from scratch (row 3 of the review).

Source: A. Mohamed et al., "A deep learning method for classifying mammographic breast density categories", Medical
Physics 45(1), 2018; the network is the Caffe reference model of Krizhevsky et al. 2012.

As there, as far as we know the paper: two groups of convolutions and local response normalisation; the breast squashed
to 256x256, a 227x227 part of it drawn in training and the middle one looked at in prediction, mirrored; the training
mean subtracted; SGD 1e-3 with momentum, divided by ten every third of the run, decay 5e-4, batch 64; convolutions at a
tenth of the rate of fc6 and fc7, the new fc8 at ten times it. `classes=("B","C")` is the paper's mode; four classes
(the default) are adapted.

Departures, each a default: pixels are also divided by the training spread, since ours lie in [0, 1] and Caffe's in
[0, 255]; the mean is one number, since ours is a grey network; no ImageNet weights are shipped, so the source of the
transfer is the presence of findings (`ml.methods.pretraining`), `source="none"` trains from scratch; classes are
balanced, labels smoothed; weights start by He's rule where Caffe draws them with fixed spreads, and what has no past
learns at a rate of its own; the embedding is fc7 along its first 256 principal components on training images.
`variant="one_tower"` is the AlexNet of torchvision, for an operator's weights file. `base` and `tiny` are ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from ml.blocks.alexnet import AlexNet
from ml.blocks.backbones import backbone
from ml.blocks.estimators.pca import PCA
from ml.methods import pretraining
from ml.methods.answering import classified, over_passes
from ml.methods.densities import NEEDS, density_loss
from ml.methods.pretraining import Source, presence_stages
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
    Inference,
    Inputs,
    Lesson,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Part,
    Prediction,
    Reads,
    Serves,
    Sight,
    Stage,
    Task,
)
from ml.runs.manifest import ManifestRow

COMPONENTS = 256
RATES = {"trunk.features.": 0.1, "trunk.classifier.": 1.0, "head.": 10.0}


@dataclass(frozen=True, kw_only=True)
class Config:
    """`frame_px`: side of a prepared image; `input_px`: of the part that the network sees.

    `source` auto becomes presence, or phantoms where under 500 training images are known to show a finding or none.
    `lr` is that of a transfer; `pretrain_lr` that of a network without a past, which is the source's own and, with
    source none, the method's: Krizhevsky's 0.01, in `large` and `base`.
    """

    classes: tuple[str, ...] = ("A", "B", "C", "D")
    variant: Literal["caffe", "one_tower"] = "caffe"
    prefix: str = ""
    source: Source = "auto"
    phantoms: int = 400
    frame_px: int = 256
    input_px: int = 227
    in_channels: int = 3
    batch: int = 64
    steps: int | None = None
    epochs: float = 30
    pretrain_steps: int | None = None
    pretrain_epochs: float = 15
    lr: float = 1e-3
    pretrain_lr: float = 1e-2
    weight_decay: float = 5e-4
    smoothing: float = 0.05


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "prefix": "tiny_",
        "frame_px": 76,
        "input_px": 67,
        "in_channels": 1,
        "phantoms": 200,
        "batch": 32,
        "steps": 300,
        "pretrain_steps": 150,
        "lr": 5e-3,
        "pretrain_lr": 2e-2,
    },
    "base": {"prefix": "base_", "in_channels": 1},
    "large": {},
}


def trunk_of(config: Config) -> AlexNet:
    """The convolutions with fc6 and fc7."""
    name = "alexnet_caffe" if config.variant == "caffe" else "alexnet"
    prefix = "" if name == "alexnet" and config.prefix == "base_" else config.prefix
    found = backbone(prefix + name, in_channels=config.in_channels)
    assert isinstance(found, AlexNet)
    return found


class Centre(nn.Module):
    """x (N, 1, H, W) minus the training mean, by the training spread; those of published weights until it learns."""

    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.449))
        self.register_buffer("sd", torch.tensor(0.226))

    def learn(self, batches: Iterable[Batch]) -> None:
        """Mean and spread of all pixels of the training images."""
        total = square = count = 0.0
        for batch in batches:
            x = batch.x.double()
            total, square, count = total + float(x.sum()), square + float((x**2).sum()), count + x.numel()
        if count:
            mean = total / count
            self.mean.fill_(mean)
            self.sd.fill_(max(square / count - mean**2, 1e-6) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.sd


class AlexNetClassifier(nn.Module):
    """What `seen` gives, (B, I, 227, 227), to logits (B, K); the embedding is fc7 (B, 4096)."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.trunk = trunk_of(config)
        self.head = nn.Linear(self.trunk.embed_width, classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        embedding = self.trunk.embed(x)
        return {"logits": self.head(embedding), "embedding": embedding}


def seen(config: Config, modules: Modules, batch: Batch) -> Tensor:
    """The middle of the prepared images (training has drawn its part already), centred, in the network's channels."""
    x = batch.x[:, 0]
    top, left = (x.shape[-2] - config.input_px) // 2, (x.shape[-1] - config.input_px) // 2
    x = x[..., top : top + config.input_px, left : left + config.input_px]
    if config.variant == "caffe":
        x = modules["centre"](x)
    else:
        mean, sd = AlexNetClassifier.input_norm
        x = (x - mean) / sd
    return x.expand(-1, config.in_channels, -1, -1)


def drawn_part(seen: Sight, targets: Mapping[str, Tensor], config: Config, generator: torch.Generator) -> Part:
    """A part of the image, `input_px` wide and high, anywhere."""
    most = [side - config.input_px + 1 for side in seen.shape]
    top, left = (int(torch.randint(n, (), generator=generator)) for n in most)
    return Part((top, left, config.input_px, config.input_px), targets)


def reads(config: Config, aim: Aim) -> Reads:
    """One image, the breast squashed to the square."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={
            "target_spacing_mm": 0.8,
            "size": (config.frame_px, config.frame_px),
            "fit": "squash",
            "window": "density",
        },
        augment={"flip_x": 0.5, "flip_y": 0.5, "gamma": 0.1},
        targets=("density",),
        view=drawn_part,
    )


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Settle `source: auto` from the training rows."""
    return replace(config, source=pretraining.settled(config.source, rows))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Mean and spread, presence of findings, then density; or density from scratch."""
    sgd = Optimiser(
        kind="sgd", lr=config.lr, weight_decay=config.weight_decay, schedule="step", step_factor=0.1, warmup_share=0.0
    )
    scratch = replace(sgd, lr=config.pretrain_lr)

    def pixels(modules: Modules, batch: Batch) -> Tensor:
        return seen(config, modules, batch)

    def forward(modules: Modules, batch: Batch) -> Outputs:
        said: Outputs = modules["transfer"](pixels(modules, batch))
        return said

    def learn_centre(lesson: Lesson) -> None:
        own: Any = lesson.modules["centre"]
        own.learn(lesson.batches("train"))

    before = presence_stages(
        config.source,
        trunk=lambda: trunk_of(config),
        pixels=pixels,
        reads=replace(reads(config, aim), targets=("presence",)),
        phantoms=config.phantoms,
        size_px=config.input_px,
        optimiser=scratch,
        steps=config.pretrain_steps,
        epochs=config.pretrain_epochs,
        batch=config.batch,
    )
    return (
        Stage(name="centre", kind="extract", build=Centre, learn=learn_centre),
        *before,
        Stage(
            name="transfer",
            build=lambda: AlexNetClassifier(config, len(aim.labels)),
            loss=density_loss(config.smoothing),
            forward=forward,
            optimiser=sgd if before else scratch,
            lr_factors=RATES if before else {},
            starts_from=(Copied(stage="pretrain", prefix="trunk.", to="trunk."),) if before else (),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("head.",),
        ),
        Stage(
            name="components",
            kind="extract",
            build=lambda: PCA(COMPONENTS),
            learn=lambda lesson: learn_components(config, lesson),
            consumes=("transfer:weights",),
        ),
    )


def learn_components(config: Config, lesson: Lesson) -> None:
    """What fc7 says of the training images, along the directions in which it differs most."""
    network = cast(AlexNetClassifier, lesson.modules["transfer"])
    rows = [network.trunk.embed(seen(config, lesson.modules, batch)).float().cpu() for batch in lesson.batches("train")]
    cast(PCA, lesson.modules["components"]).fit(torch.cat(rows).numpy())


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of a batch; the convolutions run once, fc6 to fc8 once per pass."""
    network: Any = modules["transfer"]
    maps = network.trunk(seen(config, modules, batch))[-1]
    embedding = network.trunk.summary(maps)
    logits = over_passes(network, "transfer", inference, lambda: network.head(network.trunk.summary(maps)))
    components = modules.get("components")
    if isinstance(components, PCA) and components.fitted:  # not while the network itself is still learning
        embedding = components(embedding)
    return classified(logits, embedding, inference)


def classes(config: Config, task: Task) -> tuple[str, ...]:
    """The classes of the run."""
    return tuple(config.classes)


SPEC = MethodSpec(
    name="alexnet_birads",
    seed_row=3,
    serves=(
        Serves(
            task="density",
            fidelity="adapted",
            claim_note="The paper tells scattered (B) from heterogeneously dense (C) alone, on 22,000 images of 1,427 "
            'women; classes B and C (`classes=["B","C"]`) are its mode, four classes are adapted. The review says that '
            "it lacks fine-tuning; the paper compares training from scratch with fine-tuning. It reports an AUC of "
            "about 0.94 from scratch and 0.93 fine-tuned (figures of the paper, from memory). No ImageNet weights are "
            "shipped: the transfer here is from the presence of findings, or phantoms, unless a weights file is given.",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="image"),
    needs=NEEDS,
    sizes=("tiny", "base", "large"),
    reference="A. Mohamed et al., A deep learning method for classifying mammographic breast density categories, "
    "Medical Physics 45(1), 2018.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
    classes=classes,
)
