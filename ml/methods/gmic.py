"""Breast cancer from the whole image and six crops that the network itself chooses (GMIC; beyond the review's rows).

Source: Y. Shen et al., "An interpretable classifier for high-resolution breast cancer screening images utilizing weakly
supervised localization", Med. Image Anal. 68, 2021, and its public code (nyukat/GMIC).

As in the code: 2944x1920 pixels, standardised image by image; ResNet-22 to 256x46x30 maps; saliency by a 1x1
convolution without bias and a sigmoid, an image's global score the mean of its highest cells; six crops of 256 pixels,
greedily where the summed, min-max normalised saliency is highest; ResNet-18 of each crop, gated attention over them
without biases; fusion of the maps' maximum and the attended crops. Labels are benign and malignant, each yes or no,
and no mark is needed. The saliency learns from the global score alone: crops carry no gradient to their corners.

Departures, each a default: the loss (from memory of the paper: three cross-entropies and the saliency's mean) with
weights of its own; the local network starts as the rest does, not from ImageNet; a benign label is left out of the loss
where nobody knows it; without outcomes the two classes become one, any lesion; no noise, up-down flips and shifts for
variation; boxes are the crops that matter, and the saliency is shown whole, as a map, instead of parts of it over a
threshold. `copies` trains several networks whose mean is the answer, as the paper's ensemble of five. `tiny` is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.cells import over_pixels
from ml.blocks.gated_attention import GatedAttention
from ml.blocks.mil_pool import MILPool
from ml.blocks.residual import BasicBlock
from ml.blocks.resnet import ResNet
from ml.blocks.resnet_preact import ResNet22
from ml.blocks.roi_retrieve import RoiRetrieve
from ml.methods.answering import binary
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
    Where,
)
from ml.runs.needs import Need

SHOWN_ATTENTION = 0.2
"""Crops of a higher attention are shown as places where the answer comes from."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`top_share`: of the saliency's cells, those that make the global score. `stem_pool`: total stride 64, else 32."""

    rows_px: int = 2944
    cols_px: int = 1920
    target_spacing_mm: float = 0.07
    width: int = 16
    blocks: int = 2
    depth: int = 5
    stem_pool: bool = True
    top_share: float = 0.03
    crops: int = 6
    crop_px: int = 256
    local_width: int = 64
    local_depths: tuple[int, ...] = (2, 2, 2, 2)
    local_channels: int = 3
    hidden: int = 128
    sparsity: float = 1e-4
    copies: int = 1
    batch: int = 6
    steps: int | None = None
    epochs: float = 50
    lr: float = 5e-5
    translate_mm: float = 7.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "rows_px": 128,
        "cols_px": 96,
        "target_spacing_mm": 1.6,
        "width": 4,
        "blocks": 1,
        "depth": 3,
        "stem_pool": False,
        "crops": 2,
        "crop_px": 32,
        "local_width": 8,
        "local_depths": (1, 1, 1),
        "local_channels": 1,
        "hidden": 32,
        "batch": 8,
        "steps": 300,
        "lr": 8e-3,
    },
    "base": {"rows_px": 1472, "cols_px": 960, "target_spacing_mm": 0.14, "crop_px": 128, "local_channels": 1},
    "large": {},
}


class Gmic(nn.Module):
    """(B, 1, 1, H, W) in [0, 1] to what the image, its crops and both together say of each of C classes.

    logits (fusion), local (B, C) logits; pooled (B, C) probability of the saliency (B, C, h, w); attention (B, K);
    corners (B, K, 2) as (x, y); embedding (B, D).
    """

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.local_channels = config.local_channels
        self.trunk = ResNet22(width=config.width, blocks=config.blocks, stages=config.depth)
        if not config.stem_pool:
            self.trunk.first_pool = nn.Identity()
        self.saliency = nn.Conv2d(self.trunk.feature_width, classes, 1, bias=False)
        self.top = MILPool("top", share=config.top_share)
        self.retrieve = RoiRetrieve(config.crops, config.crop_px)
        stages = len(config.local_depths)
        self.local = ResNet(
            BasicBlock,
            config.local_depths,
            width=config.local_width,
            in_channels=config.local_channels,
            strides=(1, *(2,) * (stages - 1)),
            dilations=(1,) * stages,
        )
        wide = self.local.feature_width
        self.attention = GatedAttention(wide, config.hidden)
        self.local_head = nn.Linear(wide, classes, bias=False)
        self.fusion = nn.Linear(self.trunk.feature_width + wide, classes)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        image = standardised(x[:, 0])
        maps = self.trunk(image)[-1]
        saliency = torch.sigmoid(self.saliency(maps).float())
        crops, corners = self.retrieve(image, saliency)
        features = self.local.embed(crops.flatten(0, 1).expand(-1, self.local_channels, -1, -1))
        attended, attention = self.attention(features.unflatten(0, crops.shape[:2]))
        embedding = torch.cat([maps.amax((2, 3)), attended], 1)
        return {
            "logits": self.fusion(embedding),
            "local": self.local_head(attended),
            "pooled": self.top(saliency.flatten(2).movedim(1, 2)),
            "saliency": saliency,
            "attention": attention,
            "corners": corners,
            "embedding": embedding,
        }


def standardised(image: Tensor) -> Tensor:
    """Each image (B, 1, H, W) with mean 0 and deviation 1, air included; an empty one stays 0."""
    mean = image.mean((1, 2, 3), keepdim=True)
    return (image - mean) / image.std((1, 2, 3), keepdim=True, unbiased=False).clamp(min=1e-5)


def classes_of(aim: Aim) -> tuple[str, ...]:
    """What the network speaks of; the last is what the run is about."""
    return ("benign", "malignant") if aim.target == "outcome" else ("lesion",)


def loss(config: Config, aim: Aim) -> Callable[[Outputs, Batch], Mapping[str, Tensor]]:
    """Cross-entropies of fusion, crops and image against every label that is known, and the saliency's mean."""

    def gmic_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        labels = batch.targets["class"][:, None]
        if len(classes_of(aim)) > 1:
            labels = torch.cat([batch.targets["benign"][:, None], labels], 1)
        known, wanted = labels >= 0, labels.clamp(min=0).float()

        def mean(losses: Tensor) -> Tensor:
            return (losses * known).sum() / known.sum().clamp(min=1)

        def entropy(logits: Tensor) -> Tensor:
            return mean(functional.binary_cross_entropy_with_logits(logits.float(), wanted, reduction="none"))

        pooled = outputs["pooled"].float().clamp(1e-6, 1 - 1e-6)
        return {
            "fusion": entropy(outputs["logits"]),
            "local": entropy(outputs["local"]),
            "global": mean(functional.binary_cross_entropy(pooled, wanted, reduction="none")),
            "sparsity": config.sparsity * outputs["saliency"].mean(),
        }

    return gmic_loss


def reads(config: Config, aim: Aim) -> Reads:
    """Whole images at one scale, the breast at the chest wall and air around it."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={
            "target_spacing_mm": config.target_spacing_mm,
            "size": (config.rows_px, config.cols_px),
            "window": "percentile",
        },
        augment={"flip_y": 0.5, "translate_mm": config.translate_mm, "rotation_degrees": 10.0, "scale": 0.1},
        targets=("class", "benign"),
    )


def names(config: Config) -> tuple[str, ...]:
    """The stages: a network each."""
    return ("main", *(f"copy{n}" for n in range(2, config.copies + 1)))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Image and crops learn together; each copy from starting values of its own."""
    return tuple(
        Stage(
            name=name,
            build=lambda: Gmic(config, len(classes_of(aim))),
            loss=loss(config, aim),
            optimiser=Optimiser(kind="adam", lr=config.lr),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("saliency.", "local.", "attention.", "local_head.", "fusion."),
        )
        for name in names(config)
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The fusion's answer, the mean over copies, and where the first of them looked.

    values: what the image alone and the crops alone say, and how far the three are apart.
    """
    said = [modules[name](batch.x, batch.valid) for name in names(config) if name in modules]
    logits = torch.stack([binary(own["logits"][:, -1].float()) for own in said], 1).cpu()
    parts = torch.stack([torch.stack(_parts(own)) for own in said]).mean(0).float().cpu()
    embedding = torch.stack([own["embedding"].float() for own in said]).mean(0).cpu()
    samples = logits.softmax(-1)
    found = []
    for n in range(len(batch.ids)):
        found.append(
            Prediction(
                probabilities=samples[n].mean(0),
                logits=logits[n].mean(0),
                samples=samples[n] if len(said) > 1 else None,
                values={
                    "global": float(parts[0, n]),
                    "local": float(parts[1, n]),
                    "disagreement": float(parts[:, n].std(unbiased=False)),
                },
                embedding=embedding[n],
                where=(_shown(said[0], n, config.crop_px),),
            )
        )
    return found


def _parts(said: Mapping[str, Tensor]) -> list[Tensor]:
    """Probabilities (B,) of image, crops and both."""
    return [
        said["pooled"][:, -1].float(),
        said["local"][:, -1].float().sigmoid(),
        said["logits"][:, -1].float().sigmoid(),
    ]


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """The first copy's saliency of what the run is about, (B, 1, H, W)."""
    saliency = modules[names(config)[0]](batch.x, batch.valid)["saliency"][:, -1].float()
    rows, cols = batch.x.shape[-2:]
    return over_pixels(saliency, rows / saliency.shape[1], rows, cols)[:, None]


def _shown(said: Mapping[str, Tensor], n: int, size: int) -> Where:
    """An image's crops that matter, by their attention."""
    attention, order = said["attention"][n].float().cpu().sort(descending=True, stable=True)
    order = order[attention > SHOWN_ATTENTION]
    corners = said["corners"][n].cpu()[order].float()
    return Where(
        names=("attention",),
        boxes=torch.cat([corners, corners + size], 1),
        scores=attention[: len(order)],
        labels=torch.zeros(len(order), dtype=torch.long),
    )


SPEC = MethodSpec(
    name="gmic",
    seed_row=None,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="paper",
            claim_note="Not a row of the review. The paper reports an AUC of 0.93 for malignant findings on the "
            "screening set of its own hospital (over a million images; figure of the paper); places that it points at "
            "come without marks in training and are weak.",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="image"),
    needs=(Need(label="image_class", min_train=2, min_classes=2),),
    sizes=("tiny", "base", "large"),
    reference="Y. Shen et al., An interpretable classifier for high-resolution breast cancer screening images "
    "utilizing weakly supervised localization, Medical Image Analysis 68, 2021.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="entropy",
    heat=heat,
)
