"""Regions classified by a CNN and by a texture classifier, fused by one weight (row 16 of the review).

Source: J. Melekoodappattu et al., "Breast cancer detection in mammogram: combining modified CNN and texture feature
based approach", J. Ambient Intell. Humaniz. Comput., 2022, and its sister paper (Int. J. Imaging Syst. Technol. 32(2)).

From the papers: one nine-layer CNN and one classifier on hand-made texture features of lower dimension, and one
decision of both.

Reconstructed: the widths of the CNN; median 3x3 and CLAHE before it; 96 named texture numbers at 0.2 mm per pixel,
standardised, principal components of 95 % of the variance (the papers use UMAP, by memory), a Gaussian support vector
machine with Platt scaling; p = w p_cnn + (1 - w) p_texture, w by the log-loss on validation in steps of 0.05 (one half
where there is no validation), from 0.05 to 0.95: a few validation regions silence no branch, so that the fusion can be
worse there than a branch that is perfect on them. AdamW and our augmentation train the CNN. `tiny` and `base` are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from scipy.ndimage import median_filter
from skimage.exposure import equalize_adapthist
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.au_block import conv_bn
from ml.blocks.dropout import HeldDropout
from ml.blocks.estimators.pca import PCA
from ml.blocks.estimators.standardiser import Standardiser
from ml.blocks.estimators.svm import RbfSvm
from ml.blocks.losses import soft_cross_entropy
from ml.blocks.norm import start_from_scratch
from ml.methods.answering import classified, over_passes
from ml.methods.reading import squares
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Inputs,
    Lesson,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.pixels.texture import SPACING_MM, texture_vector
from ml.runs.needs import Need

CLASSES = 2
CELLS = 4
TILES = 8
CLIP = 2 / 256
"""CLAHE's limit, of the share of a tile's pixels in one of 256 grey values: twice what they have on average."""
TEXTURE_PX = (24, 256)
"""Sides of a region at 0.2 mm per pixel: very small and very large ones are brought to these."""
STEP = 0.05


@dataclass(frozen=True, kw_only=True)
class Config:
    """`roi_px`: side of a region as it is cut and its texture measured; `cnn_px`: what the CNN sees of it."""

    target_spacing_mm: float = 0.1
    roi_px: int = 128
    cnn_px: int = 128
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    hidden: int = 128
    dropout: float = 0.5
    variance: float = 0.95
    batch: int = 16
    steps: int | None = None
    epochs: float = 60
    lr: float = 3e-4
    rotation_degrees: float = 15.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.2,
        "roi_px": 64,
        "cnn_px": 32,
        "widths": (8, 16, 32, 32),
        "hidden": 32,
        "steps": 200,
        "lr": 1e-3,
    },
    "base": {},
    "large": {},
}


def enhanced(x: Tensor, side: int) -> Tensor:
    """(B, 1, 1, S, S) in [0, 1] to (B, 1, side, side): median of 3x3, contrast equalised in 8x8 tiles."""
    small = functional.adaptive_avg_pool2d(x[:, 0].float(), side)
    made = [
        equalize_adapthist(median_filter(own, 3).clip(0, 1), kernel_size=side // TILES, clip_limit=CLIP)
        for own in small[:, 0].cpu().numpy()
    ]
    return torch.from_numpy(np.stack(made)[:, None].astype(np.float32)).to(x.device)


def textures(batch: Batch) -> Tensor:
    """(B, 96) float64: the texture of each region inside the breast, at 0.2 mm per pixel."""
    found = []
    for n in range(len(batch.ids)):
        side = batch.x.shape[-1] * float(batch.mm_per_px[n, 0]) / SPACING_MM
        size = [min(max(round(side), TEXTURE_PX[0]), TEXTURE_PX[1])] * 2
        pixels = functional.interpolate(batch.x[n].float(), size=size, mode="bilinear", antialias=True)
        inside = functional.interpolate(batch.breast[n].float(), size=size) > 0.5
        mask = inside[0, 0].cpu().numpy()
        image = pixels[0, 0].double().cpu().numpy().clip(0, 1)
        found.append(texture_vector(image, mask if mask.mean() > 0.1 else None))
    return torch.from_numpy(np.stack(found)).to(batch.x.device)


class RegionCnn(nn.Module):
    """Nine layers: (B, 1, S, S), enhanced, to features (B, hidden) and logits (B, 2)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k, (i, o) in enumerate(zip((1, *config.widths[:-1]), config.widths, strict=True)):
            layers += [nn.MaxPool2d(2)] if k else []
            layers.append(conv_bn(i, o))
        self.trunk = nn.Sequential(*layers)
        self.hidden = nn.Linear(config.widths[-1] * CELLS * CELLS, config.hidden)
        self.dropout = HeldDropout(config.hidden, config.dropout)
        self.head = nn.Linear(config.hidden, CLASSES)
        start_from_scratch(self)

    def features(self, x: Tensor) -> Tensor:
        """(B, hidden)."""
        return torch.relu(self.hidden(functional.adaptive_avg_pool2d(self.trunk(x), CELLS).flatten(1)))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(self.dropout(self.features(x)))}


class TextureModel(nn.Module):
    """(B, 96) to components (B, P) and probabilities (B, 2)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.standard, self.pca, self.svm = Standardiser(), PCA(variance=config.variance), RbfSvm()

    def components(self, x: Tensor) -> Tensor:
        """(B, P)."""
        return self.pca(self.standard(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.svm(self.components(x))


class Fusion(nn.Module):
    """w p_cnn + (1 - w) p_texture; w is the only number."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(0.5, dtype=torch.float64))

    def forward(self, cnn: Tensor, texture: Tensor) -> Tensor:
        return self.weight * cnn + (1 - self.weight) * texture


def best_weight(cnn: Tensor, texture: Tensor, truth: Tensor) -> float:
    """The w in steps of 0.05 with the least log-loss of probabilities (N, 2) and classes (N,); of equals the middle.

    From one step to one step before the end: neither branch is ever silent, whatever a small validation says.
    """
    grid = torch.linspace(STEP, 1 - STEP, round(1 / STEP) - 1, dtype=torch.float64)
    p = grid[:, None, None] * cnn.double() + (1 - grid[:, None, None]) * texture.double()
    losses = -torch.log(p[:, torch.arange(len(truth)), truth].clamp(min=1e-12)).mean(1)
    best = (losses <= losses.min() + 1e-12).nonzero()[:, 0]
    return float(grid[best[len(best) // 2]])


def learn_texture(lesson: Lesson) -> None:
    """Standard, components, machine; no two folds of its calibration share a patient."""
    own: Any = lesson.modules["texture"]
    rows, labels = [], []
    patients: list[str] = []
    for batch in lesson.batches("train"):
        rows.append(textures(batch).cpu())
        labels.append(batch.targets["class"].cpu())
        patients += batch.patients
    x = torch.cat(rows)
    own.standard.fit(x.numpy())
    own.pca.fit(own.standard(x.to(batch.x.device)).cpu().numpy())
    components = own.components(x.to(batch.x.device)).cpu().numpy()
    own.svm.fit(components, torch.cat(labels).numpy(), seed=lesson.seed, groups=np.array(patients))
    lesson.keep("features", {"values": x})


def learn_fusion(lesson: Lesson) -> None:
    """The weight, on validation."""
    own: Any = lesson.modules["fuse"]
    found = list(_validation(lesson))
    if found:
        cnn, texture, truth = (torch.cat(part) for part in zip(*found, strict=True))
        own.weight.fill_(best_weight(cnn, texture, truth))


def _validation(lesson: Lesson) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for batch in lesson.batches("val"):
        logits = lesson.modules["cnn"](enhanced(batch.x, lesson.config.cnn_px))["logits"]
        texture = lesson.modules["texture"](textures(batch))
        yield logits.double().softmax(1).cpu(), texture.cpu(), batch.targets["class"].cpu()


def class_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy."""
    truth = functional.one_hot(batch.targets["class"], CLASSES).float()
    return {"cross_entropy": soft_cross_entropy(outputs["logits"], truth).mean()}


def reads(config: Config, aim: Aim) -> Reads:
    """Marked squares."""
    return squares(config, "class")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """The CNN, the texture classifier, the weight between them."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        found: Outputs = modules["cnn"](enhanced(batch.x, config.cnn_px))
        return found

    return (
        Stage(
            name="cnn",
            build=lambda: RegionCnn(config),
            forward=forward,
            loss=class_loss,
            optimiser=Optimiser(lr=config.lr),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            validate="loss",
            head_prefixes=("hidden.", "head."),
        ),
        Stage(name="texture", kind="sklearn", build=lambda: TextureModel(config), learn=learn_texture),
        Stage(name="fuse", kind="sklearn", build=Fusion, learn=learn_fusion),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The fused probability, with passes that of each; how far the branches are apart stands beside it."""
    cnn, texture = modules["cnn"], cast(TextureModel, modules["texture"])
    own: Any = cnn
    features = own.features(enhanced(batch.x, config.cnn_px))
    passes = over_passes(cnn, "cnn", inference, lambda: own.head(own.dropout(features))).double().softmax(2)
    measured = textures(batch)
    other = texture(measured)
    components = texture.components(measured)
    fused = modules["fuse"](passes, other[:, None]).clamp(min=1e-12)  # (B, T, 2)
    apart = (passes.mean(1) - other)[:, 1].abs()
    embedding = torch.cat([features.double(), components], 1)
    return classified(torch.log(fused), embedding, inference, {"branch_disagreement": apart})


SPEC = MethodSpec(
    name="texture_ensemble",
    seed_row=16,
    serves=(
        Serves(
            task="lesion_classification",
            fidelity="reconstruction",
            claim_note="The review lists an ensemble of networks with 98 % on MIAS and DDSM (figure of the paper); "
            "it is one CNN and one classifier on hand-made texture features. MIAS is tiny, and the figure optimistic.",
        ),
    ),
    findings=("mass", "calcification", "asymmetry", "architectural_distortion"),
    inputs=Inputs(unit="roi"),
    needs=(Need(label="box", min_train=4),),
    sizes=("tiny", "base", "large"),
    reference="J. Melekoodappattu et al., Breast cancer detection in mammogram: combining modified CNN and texture "
    "feature based approach, J. Ambient Intell. Humaniz. Comput., 2022.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
