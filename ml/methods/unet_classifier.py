"""A breast cut out by a U-Net and judged by an Inception-v3 from both views (row 14 of the review).

Source: W. Salama, M. Aly, "Deep learning in mammography images segmentation and classification: automated CNN
approach", Alexandria Engineering Journal 60(5), 2021.

From the paper's abstract: a modified U-Net outlines the breast, not lesions; what lies outside is taken away, and
Inception-v3 tells the class of what is left, from CC and MLO.

Reconstructed: U-Net 64 to 1024 with batch norm and dropout 0.3 at its two deepest levels, 256 pixels, binary
cross-entropy plus soft Dice, Adam 1e-3; whole frames, so that labels and air are there to be taken away; outside of the
mask is 0, and what is inside its box is squashed to 299 pixels; the views share the trunk and their features are
concatenated, zeros for a view that is missing; dropout 0.4. The paper tells benign from malignant, here a breast has
cancer or not. Where nothing is taken for breast, the whole picture is judged. The paper begins with weights of
ImageNet; here the Inception-v3 begins from scratch unless a weights file is given.

The U-Net's teacher is the automatic mask of the preparation, which it distils; an image with a map of tissues teaches
all that the map names instead. Passes of dropout thin the classifier and, where the U-Net answers itself, the U-Net.

Adapted, for the claim of the row: the same U-Net outlines lesions (segmentation), and the same classifier judges what
it left of a region (lesion_classification). `base` and `tiny` are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbones import backbone
from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.dropout import HeldDropout
from ml.blocks.losses import segmentation_loss, soft_dice
from ml.blocks.norm import start_from_scratch
from ml.blocks.roi_align import roi_align
from ml.blocks.unet import UNet
from ml.methods.answering import classified, over_passes, require_outlines
from ml.methods.reading import BREAST, IMAGE, TWO_VIEWS
from ml.methods.spec import (
    Aim,
    Batch,
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
    Where,
)
from ml.runs.needs import Need

CLASSES = 2
SMALL = "four_convolutions"
OUTLINED = ("segmentation", "lesion_classification")
"""Tasks whose U-Net outlines lesions, not the breast."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`image_px`: side of what is prepared; the U-Net reads it `shrink` times smaller; `judged_px`: the classifier's.

    `trunk` is a name of `ml.blocks.backbones` or four_convolutions, of `in_channels`.
    """

    target_spacing_mm: float = 0.5
    lesion_spacing_mm: float = 0.1
    image_px: int = 512
    shrink: int = 2
    width: int = 64
    depth: int = 4
    judged_px: int = 299
    trunk: str = "inception_v3"
    in_channels: int = 3
    mask_dropout: float = 0.3
    dropout: float = 0.4
    batch: int = 8
    steps: int | None = None
    epochs: float = 40
    segment_steps: int | None = None
    segment_epochs: float = 20
    lr: float = 3e-4
    segment_lr: float = 1e-3
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 3.2,
        "lesion_spacing_mm": 0.8,
        "image_px": 64,
        "shrink": 1,
        "width": 8,
        "depth": 3,
        "judged_px": 64,
        "trunk": SMALL,
        "in_channels": 1,
        "steps": 240,
        "segment_steps": 150,
        "lr": 2e-3,
        "segment_lr": 2e-3,
    },
    "base": {"width": 32, "trunk": "base_inception_v3", "in_channels": 1},
    "large": {},
}


class FourConvolutions(nn.Sequential):
    """(N, 1, H, W) to (N, 64): four times 3x3, batch norm, ReLU and a half, then the mean."""

    in_channels, embed_width = 1, 64

    def __init__(self) -> None:
        widths = (1, 16, 32, 64, self.embed_width)
        blocks = [(ConvNormAct(i, o), nn.MaxPool2d(2)) for i, o in pairwise(widths)]
        super().__init__(*(layer for block in blocks for layer in block))
        start_from_scratch(self)

    def embed(self, x: Tensor) -> Tensor:
        return self(x).mean((2, 3))


class MaskedViews(nn.Module):
    """Pictures (B, V, 1, H, W) in [0, 1] and their masks to logits (B, 2) and an embedding (B, V*D)."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config, views: int) -> None:
        super().__init__()
        self.judged_px, small = config.judged_px, config.trunk == SMALL
        self.trunk: Any = FourConvolutions() if small else backbone(config.trunk, in_channels=config.in_channels)
        features = views * self.trunk.embed_width
        self.dropout = HeldDropout(features, config.dropout)
        self.head = nn.Linear(features, CLASSES)

    def embed(self, x: Tensor, mask: Tensor, view_mask: Tensor) -> Tensor:
        """What the trunk says of each view inside its mask, one beside the other."""
        mean, sd = self.input_norm
        flat, inside = x.flatten(0, 1), mask.flatten(0, 1).to(x)
        seen = roi_align(
            flat * inside, boxes_of(inside[:, 0]), torch.arange(len(flat), device=x.device),
            size=(self.judged_px, self.judged_px), samples=1,
        )  # fmt: skip
        grey = ((seen - mean) / sd).expand(-1, self.trunk.in_channels, -1, -1)
        features = self.trunk.embed(grey).unflatten(0, x.shape[:2])
        return (features * view_mask[..., None]).flatten(1)

    def forward(self, x: Tensor, mask: Tensor, view_mask: Tensor) -> dict[str, Tensor]:
        embedding = self.embed(x, mask, view_mask)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def boxes_of(masks: Tensor) -> Tensor:
    """(N, 4) boxes [x0, y0, x1, y1] around masks (N, H, W), none of which is empty."""
    found = []
    for own in masks > 0:
        ys, xs = own.any(1).nonzero()[:, 0], own.any(0).nonzero()[:, 0]
        found.append(torch.stack([xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]))
    return torch.stack(found).to(masks)


def probabilities(network: nn.Module, x: Tensor, config: Config) -> Tensor:
    """(N, 1, H, W) of pictures of that shape, read `shrink` times smaller."""
    rows, cols = x.shape[-2:]
    z = network(functional.avg_pool2d(x, config.shrink)).float()
    return functional.interpolate(z.sigmoid(), size=(rows, cols), mode="bilinear", align_corners=False)


def inside_of(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """(B, V, 1, H, W) bool: what the frozen U-Net takes for breast, or all of a picture in which it finds none."""
    with torch.no_grad():
        p = probabilities(modules["segment"].eval(), batch.x.flatten(0, 1), config).unflatten(0, batch.x.shape[:2])
    mask = (p > 0.5) & batch.valid
    return torch.where(mask.flatten(2).any(2)[..., None, None, None], mask, batch.valid)


def forward_segment(config: Config) -> Any:
    """The U-Net on pictures as it reads them."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        return {"logits": modules["segment"](functional.avg_pool2d(batch.x[:, 0], config.shrink))}

    return forward


def outline_loss(config: Config, aim: Aim) -> Loss:
    """Binary cross-entropy and soft Dice: against the breast, or against lesions where they are outlined."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        valid = batch.valid[:, 0]
        if aim.task in OUTLINED:
            truth = batch.targets["mask"][:, None]
            if aim.task == "lesion_classification":  # a region without an outline is not known to hold no lesion
                valid = valid & batch.targets["marked"][:, None, None, None]
        else:
            mapped = batch.targets["mapped"][:, None, None, None]
            truth = torch.where(mapped, batch.targets["breast_map"][:, None], batch.breast[:, 0].float())
        small = [functional.avg_pool2d(own.float(), config.shrink) >= 0.5 for own in (truth, valid)]
        return segmentation_loss(outputs["logits"], small[0].float(), small[1])

    return loss


def forward_classify(config: Config) -> Any:
    """The classifier on what the U-Net left."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        outputs: Outputs = modules["classify"](batch.x, inside_of(modules, batch, config), batch.view_mask)
        return outputs

    return forward


def class_loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def _reads(config: Config, aim: Aim, inputs: Inputs, *targets: str) -> Reads:
    """Whole frames with their air for the breast; lesions are looked for in the prepared breast, or in squares."""
    lesions = aim.task in OUTLINED
    near = inputs.unit == "roi"
    side_mm = config.image_px * config.lesion_spacing_mm
    roi = {"size_px": config.image_px, "margin": 1.5, "window_mm": side_mm} if near else {}
    frame: dict[str, Any] = {} if near else {"size": (config.image_px, config.image_px)}
    if not lesions:
        frame |= {"crop": False, "air": True}
    return Reads(
        inputs=inputs,
        pixels={
            "target_spacing_mm": config.lesion_spacing_mm if near else config.target_spacing_mm,
            "window": "percentile",
            **frame,
        },
        augment={
            "flip_x" if near else "flip_y": 0.5,
            "rotation_degrees": config.rotation_degrees,
            "scale": 0.1,
            "gamma": 0.25,
            "contrast": 0.1,
            "noise": 0.02,
        },
        targets=targets,
        roi=roi,
    )


def reads(config: Config, aim: Aim) -> Reads:
    """Both views of a breast; for outlines of lesions one image, for their class a region."""
    if aim.task == "segmentation":
        return _reads(config, aim, IMAGE, "mask")
    if aim.task == "lesion_classification":
        return _reads(config, aim, Inputs(unit="roi"), "class", "mask")
    return _reads(config, aim, BREAST, "class")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """The outline, then the class. Raises RunRefused (exit 2, `target_unknown`) where tissues are asked for."""
    require_outlines(aim, "unet_classifier")
    lesions = aim.task in OUTLINED
    segment = Stage(
        name="segment",
        build=lambda: UNet(1, 1, config.width, config.depth, dropout=config.mask_dropout, dropout_levels=2),
        forward=forward_segment(config),
        loss=outline_loss(config, aim),
        reads=None if lesions else _reads(config, aim, IMAGE, "breast"),
        optimiser=Optimiser(kind="adam", lr=config.segment_lr),
        steps=config.segment_steps,
        epochs=config.segment_epochs,
        batch=config.batch,
        sampler="half_marked" if aim.task == "segmentation" else "plain",
        validate="task" if aim.task == "segmentation" else "loss",
        head_prefixes=("out.",),
    )
    if aim.task == "segmentation":
        return (segment,)
    views = 1 if aim.task == "lesion_classification" else len(TWO_VIEWS)
    classify = Stage(
        name="classify",
        build=lambda: MaskedViews(config, views),
        forward=forward_classify(config),
        loss=class_loss,
        optimiser=Optimiser(lr=config.lr),
        steps=config.steps,
        epochs=config.epochs,
        batch=config.batch,
        sampler="class_balanced",
        head_prefixes=("head.",),
    )
    return segment, classify


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The class of what is inside the mask; the values say how much that is, and how far it is P0's automatic mask."""
    if inference.aim.task == "segmentation":
        return outlines(modules, batch, config, inference)
    network: Any = modules["classify"]
    mask = inside_of(modules, batch, config)
    embedding = network.embed(batch.x, mask, batch.view_mask).float()
    logits = over_passes(network, "classify", inference, lambda: network.head(network.dropout(embedding)))
    there = batch.view_mask.float()
    count = there.sum(1)
    share = mask.flatten(2).float().mean(2) / batch.valid.flatten(2).float().mean(2)
    values = {"mask_share": (share * there).sum(1) / count}
    if inference.aim.task == "exam_classification":
        same = soft_dice(mask.flatten(0, 1), batch.breast.flatten(0, 1)).unflatten(0, mask.shape[:2])
        values["mask_agreement"] = (same * there).sum(1) / count
    said = classified(logits, embedding, inference, values)
    if inference.aim.task != "exam_classification" or torch.compiler.is_exporting():
        return said
    return [replace(own, where=looked_at(mask[n], batch.view_mask[n])) for n, own in enumerate(said)]


def looked_at(mask: Tensor, view_mask: Tensor) -> tuple[Where, ...]:
    """What was taken for breast in each view that is there; mask (V, 1, H, W)."""
    return tuple(
        Where(slot=v, masks={"breast": mask[v, 0].float().cpu()}) for v in range(len(mask)) if bool(view_mask[v])
    )


def outlines(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The lesions of one image each, as a map."""
    network: Any = modules["segment"]
    x = batch.x[:, 0]
    deepest = network.encode(functional.avg_pool2d(x, config.shrink))[-1].mean((2, 3)).float().cpu()
    size = x.shape[-2] * x.shape[-1]
    flat = over_passes(network, "segment", inference, lambda: probabilities(network, x, config).reshape(-1, size))
    maps = flat.unflatten(2, x.shape[-2:]).cpu()  # (B, T, H, W)
    return [
        Prediction(mask=own.mean(0), mask_samples=own if inference.passes else None, embedding=deepest[n])
        for n, own in enumerate(maps)
    ]


SPEC = MethodSpec(
    name="unet_classifier",
    seed_row=14,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="reconstruction",
            claim_note="The review lists mass detection by a U-Net; the paper's U-Net outlines the breast and another "
            "network tells benign from malignant, without any output about a lesion: 98.87 % on DDSM (figure of the "
            "paper, near perfect, which suggests that patients or augmented copies were on both sides of the split). "
            "Here the U-Net distils the automatic mask of the breast, except where an image has a map of tissues, and "
            "a breast has cancer or not. The paper begins with weights of ImageNet; here they are the user's to give, "
            "and without them nothing is transferred.",
        ),
        Serves(
            task="segmentation",
            fidelity="adapted",
            claim_note="The paper outlines no lesions: here its U-Net learns their outlines instead of the breast's.",
        ),
        Serves(
            task="lesion_classification",
            fidelity="adapted",
            claim_note="The paper judges breasts: here its two networks judge a region by what the U-Net takes for "
            "the lesion.",
        ),
    ),
    findings=("mass",),
    inputs=BREAST,
    needs=(
        Need(label="outline", min_train=2, tasks=OUTLINED),
        Need(label="breast_class", min_train=2, min_classes=2, tasks=("exam_classification",)),
    ),
    sizes=("tiny", "base", "large"),
    reference="W. Salama, M. Aly, Deep learning in mammography images segmentation and classification: automated CNN "
    "approach, Alexandria Engineering Journal 60(5), 2021.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
