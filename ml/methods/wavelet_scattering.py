"""Tissue of regions by fixed wavelets and a small CNN, fused by an ensemble (row 17 of the review).

Source: N. Razali et al., "CNN-wavelet scattering textural feature fusion for classifying breast tissue in mammograms",
Biomed. Signal Process. Control 83, 2023; the transform is that of Bruna and Mallat 2013.

From the paper: regions of interest; features of a CNN and of a fixed scattering transform (Morlet, order 2), fused and
classified by an ensemble. No wavelet is learned.

Reconstructed: J = 3 scales and 8 orientations (`large` J = 4), log(1 + S / mean), mean and deviation over space; a CNN
of four layers with its own softmax (the paper's trunk is pretrained, ours starts from scratch); both standardised, 64
principal components, 30 linear discriminants on random halves of them. Of its own training regions a CNN knows the
answer, and the components would trust it too much: what they are fitted on comes from copies of the CNN, each trained
without a part of the patients and asked about that part. Density is adapted: features are averaged over 16 windows of a
view, and the views of an exam over their probabilities. `tiny` and `base` are ours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.estimators.pca import PCA
from ml.blocks.estimators.standardiser import Standardiser
from ml.blocks.estimators.subspace_discriminants import SubspaceDiscriminants
from ml.blocks.losses import soft_cross_entropy
from ml.blocks.norm import start_from_scratch
from ml.blocks.scattering import Scattering2D
from ml.methods.answering import classified
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Inputs,
    Lesson,
    MethodSpec,
    Modules,
    Optimiser,
    OutOfFold,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs.needs import Need

GRID = 4
"""Windows along each side of a breast: 16 in all."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`roi_px`: side of a region, and of a window; `view_px`: long side of a view that windows are cut from.

    `folds`: how often the CNN is trained once more, without these patients.
    """

    roi_px: int = 128
    view_px: int = 512
    target_spacing_mm: float = 0.2
    scales: int = 3
    angles: int = 8
    widths: tuple[int, ...] = (32, 64, 128, 256)
    components: int = 64
    members: int = 30
    member_share: float = 0.5
    folds: int = 3
    batch: int = 16
    steps: int | None = None
    epochs: float = 60
    lr: float = 3e-4
    rotation_degrees: float = 15.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {"roi_px": 64, "view_px": 160, "widths": (8, 16, 32), "folds": 2, "steps": 200, "lr": 1e-3},
    "base": {},
    "large": {"roi_px": 256, "view_px": 1024, "scales": 4},
}


def windows(x: Tensor, breast: Tensor, side: int) -> Tensor:
    """(B, 1, H, W) and breasts (B, 1, H, W) to (B, 16, 1, side, side): four columns of each of four rows of breast.

    Rows and columns are the middles of the quarters of the breast's pixels, so that no window lies beside it; windows
    are shifted inside the image, which is padded where it is smaller.
    """
    down, right = (max(0, side - n) for n in x.shape[-2:])
    x = nn.functional.pad(x, (0, right, 0, down))
    quantiles = (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID
    found = []
    for own, inside in zip(x, breast, strict=True):
        ys, xs = (inside[0] if inside.any() else torch.ones_like(inside[0])).nonzero().T.double().cpu()
        edges = torch.quantile(ys, torch.arange(GRID + 1, dtype=torch.float64) / GRID)
        for k, y in enumerate(torch.quantile(ys, quantiles).tolist()):
            band = (ys >= edges[k]) & (ys <= edges[k + 1])
            for place in torch.quantile(xs[band], quantiles).tolist():
                top, left = (
                    min(max(round(centre - side / 2), 0), room - side)
                    for centre, room in ((y, x.shape[-2]), (place, x.shape[-1]))
                )
                found.append(own[:, top : top + side, left : left + side])
    return torch.stack(found).reshape(len(x), GRID**2, 1, side, side)


def looked_at(batch: Batch, config: Config) -> Tensor:
    """(B, W, 1, S, S): the one region of a sample, or the 16 windows of a view."""
    side = (config.roi_px, config.roi_px)
    if batch.x.shape[-2:] == side:
        return batch.x
    return windows(batch.x[:, 0], batch.breast[:, 0], config.roi_px)


class TissueCnn(nn.Module):
    """(B, W, 1, S, S) to logits (B, K) and features (B, widths[-1]), the mean over the W windows."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, o in zip((1, *config.widths[:-1]), config.widths, strict=True):
            layers += [ConvNormAct(i, o), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(config.widths[-1], classes)
        start_from_scratch(self)

    def features(self, x: Tensor) -> Tensor:
        """(B, D)."""
        maps = self.trunk(x.flatten(0, 1))
        return maps.mean((2, 3)).reshape(*x.shape[:2], -1).mean(1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.features(x)
        return {"logits": self.head(features), "features": features}


class ScatteringFeatures(nn.Module):
    """(B, W, 1, S, S) to (B, 2C): mean and deviation over space of log(1 + S / mean), averaged over the W windows.

    `mean` (C,) is that of each coefficient over the training samples; no filter is learned.
    """

    mean: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.scattering = Scattering2D(config.scales, config.angles)
        self.register_buffer("mean", torch.ones(self.scattering.channels))
        self.standard = Standardiser()

    def coefficients(self, x: Tensor) -> Tensor:
        """(B, W, C, h, w)."""
        return self.scattering(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def descriptor(self, x: Tensor) -> Tensor:
        """(B, 2C), not standardised."""
        logs = torch.log1p(self.coefficients(x).clamp(min=0) / self.mean[:, None, None])
        return torch.cat([logs.mean((3, 4)), logs.flatten(3).std(3, correction=0)], 2).mean(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.standard(self.descriptor(x))


class Fusion(nn.Module):
    """CNN features (B, D) and scattering features (B, E) to members (M, B, K) and the components (B, P)."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.standard = Standardiser()
        self.pca = PCA(config.components)
        self.members = SubspaceDiscriminants(classes, count=config.members, share=config.member_share)

    def joined(self, cnn: Tensor, scattered: Tensor) -> Tensor:
        """(B, D + E) float64."""
        return torch.cat([self.standard(cnn.double()), scattered.double()], 1)

    def forward(self, cnn: Tensor, scattered: Tensor) -> tuple[Tensor, Tensor]:
        found = self.pca(self.joined(cnn, scattered))
        return self.members.members(found), found


def truth_of(batch: Batch, aim: Aim) -> Tensor:
    """(B, K) shares of the classes."""
    if aim.task == "density":
        shares: Tensor = batch.targets["density"]
        return shares
    return nn.functional.one_hot(batch.targets["class"], len(aim.labels)).float()


def taught(lesson: Lesson) -> Iterator[tuple[Tensor, Batch]]:
    """The training samples as they are looked at."""
    for batch in lesson.batches("train"):
        yield looked_at(batch, lesson.config), batch


def learn_scattering(lesson: Lesson) -> None:
    """The mean of each coefficient, then the standard of the descriptors: nothing of it knows a label."""
    own: Any = lesson.modules["scatter"]
    own.mean.copy_(torch.cat([own.coefficients(x).mean((1, 3, 4)) for x, _ in taught(lesson)]).mean(0).clamp(min=1e-8))
    descriptors = torch.cat([own.descriptor(x) for x, _ in taught(lesson)])
    own.standard.fit(descriptors.cpu().numpy())
    lesson.keep("features", {"values": own.standard(descriptors)})


def learn_fusion(lesson: Lesson) -> None:
    """Standard, components and members, in this order, on the CNN's features of patients that it did not see.

    Raises RunRefused where all samples are of one class.
    """
    own: Any = lesson.modules["fuse"]
    kept = lesson.artefact("cnn:out_of_fold")
    places: list[int] = []
    labels = []
    for batch in lesson.batches("train"):
        places += lesson.places(batch.ids)
        labels.append(truth_of(batch, lesson.aim).argmax(1).cpu())
    fixed = lesson.artefact("scatter:features")["values"]  # of the same samples in the same order
    row = {int(place): n for n, place in enumerate(kept["index"])}
    told = [n for n, place in enumerate(places) if place in row]
    learned, fixed = kept["values"][[row[places[n]] for n in told]], fixed[told]
    device = own.standard.mean.device
    own.standard.fit(learned.numpy())
    joined = own.joined(learned.to(device), fixed.to(device))
    own.pca.fit(joined.cpu().numpy())
    own.members.fit(own.pca(joined).cpu().numpy(), torch.cat(labels)[told].numpy(), seed=lesson.seed)


def class_loss(aim: Aim) -> Any:
    """Cross-entropy."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        return {"cross_entropy": soft_cross_entropy(outputs["logits"], truth_of(batch, aim)).mean()}

    return loss


def reads(config: Config, aim: Aim) -> Reads:
    """Regions about marks; for density whole views, from which windows are cut."""
    whole = aim.task == "density"
    pixels: Mapping[str, Any] = {"target_spacing_mm": config.target_spacing_mm, "window": "percentile"}
    return Reads(
        inputs=Inputs(unit="image" if whole else "roi"),
        pixels={**pixels, "window": "density", "max_long_px": config.view_px} if whole else pixels,
        augment={
            "flip_x": 0.0 if whole else 0.5,
            "flip_y": 0.5,
            "rotation_degrees": config.rotation_degrees,
            "gamma": 0.1,
            "contrast": 0.1,
            "noise": 0.01,
        },
        targets=("density",) if whole else ("class",),
        roi={} if whole else {"size_px": config.roi_px},
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """A CNN, fixed wavelets, and what is made of both."""
    classes = len(aim.labels)

    def forward(modules: Modules, batch: Batch) -> Outputs:
        found: Outputs = modules["cnn"](looked_at(batch, config))
        return found

    def say(modules: Modules, batch: Batch) -> Tensor:
        cnn: Any = modules["cnn"]
        features: Tensor = cnn.features(looked_at(batch, config))
        return features

    return (
        Stage(
            name="cnn",
            build=lambda: TissueCnn(config, classes),
            forward=forward,
            loss=class_loss(aim),
            optimiser=Optimiser(lr=config.lr),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            validate="loss",
            head_prefixes=("head.",),
            out_of_fold=OutOfFold(folds=config.folds, say=say),
        ),
        Stage(name="scatter", kind="extract", build=lambda: ScatteringFeatures(config), learn=learn_scattering),
        Stage(
            name="fuse",
            kind="sklearn",
            build=lambda: Fusion(config, classes),
            learn=learn_fusion,
            consumes=("cnn:out_of_fold", "scatter:features"),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The mean of the members; where passes are asked for, each member is one."""
    cnn: Any = modules["cnn"]
    x = looked_at(batch, config)
    features, scattered = cnn.features(x).float(), modules["scatter"](x)
    members, components = modules["fuse"](features, scattered)
    p = members.transpose(0, 1).clamp(min=1e-12)  # (B, M, K)
    if not inference.passes:
        p = p.mean(1, keepdim=True)
    spread = members[..., -1].var(0, correction=0)
    embedding = torch.cat([components, features.double(), scattered.double()], 1)
    return classified(torch.log(p), embedding, inference, {"member_variance": spread})


SPEC = MethodSpec(
    name="wavelet_scattering",
    seed_row=17,
    serves=(
        Serves(
            task="lesion_classification",
            fidelity="reconstruction",
            claim_note="The review lists breast density by a wavelet CNN; the paper tells apart tissue and masses in "
            "regions of interest (112 INbreast images) by fixed scattering and a CNN, and reports 98.0 % and 99.3 % in "
            "ten folds (figures of the paper). The transform is as published, the fusion a reconstruction.",
        ),
        Serves(
            task="density",
            fidelity="adapted",
            claim_note="The paper gives no BI-RADS density: here features of 16 windows of a view are averaged, and "
            "the views of an exam over their probabilities.",
        ),
    ),
    findings=("mass",),
    inputs=Inputs(unit="roi"),
    needs=(
        Need(label="box", min_train=4, tasks=("lesion_classification",)),
        Need(label="density", min_train=4, min_classes=2, tasks=("density",)),
    ),
    sizes=("tiny", "base", "large"),
    reference="N. Razali et al., CNN-wavelet scattering textural feature fusion for classifying breast tissue in "
    "mammograms, Biomed. Signal Process. Control 83, 2023.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="members",
)
