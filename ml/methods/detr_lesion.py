"""Lesions as a set: queries that each answer with a box or with none; no anchors, no suppression (ours, seed_row None).

Source: N. Carion et al., "End-to-end object detection with transformers", ECCV 2020 (DETR).

As there: ResNet-50 at stride 32, 1x1 to 256, sine positions, six encoder and six decoder layers, Hungarian matching,
class cross-entropy with "none" at 0.1 + 5 L1 + 2 (1 - GIoU) also after every earlier decoder layer, AdamW 1e-4 with
the trunk at a tenth, gradients clipped at 0.1.

Departures, each a default: 30 queries instead of 100, for a mammogram holds few lesions; the class cost of the
matching is 2 (methods.md 4.2); dropout drops the same features of all tokens, so that Monte-Carlo passes can hold it;
images are padded to a square, so that a share of the side means the same in every batch; an image whose findings may
not all be marked teaches nothing here, since every query without a partner is taught to be none. Few labels are its
weakness: it learns where boxes are only after many steps, so `base` and `large` have the trunk of `retinanet_mass` of
the same size (group norm, for batches are small; three channels in `large`) and should start from a model of it; a
weights file with batch norm wants `norm="bn"`. `tiny` (four convolutions at stride 8, two layers each way, 64 wide, 8
queries) has a trunk that no detector lends, unless both are given a common one (`trunk`, `norm`, `in_channels`); it and
`base` are ours.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ml.blocks.boxes import corners_of
from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.detr import DETRLite
from ml.blocks.dropout import held
from ml.blocks.norm import Norm
from ml.blocks.resnet import resnet
from ml.blocks.set_matching import Target, deep_set_loss
from ml.methods.answering import require_numbers
from ml.methods.reading import IMAGE, whole_images
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs.needs import Need

PASSES = 10
"""Monte-Carlo passes that are run, of those asked for: each repeats the transformer, not only a last layer."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`side_px`: the square that images are padded to; `trunk`: plain (four convolutions, stride 8) or a ResNet.

    `norm` and `in_channels` are those of a ResNet; the plain trunk has batch norm and one channel.
    """

    target_spacing_mm: float = 0.2
    side_px: int = 1333
    trunk: Literal["plain", "resnet18", "resnet50"] = "resnet50"
    norm: Norm = "bn"
    in_channels: int = 1
    width: int = 256
    layers: int = 6
    hidden: int = 2048
    queries: int = 30
    heads: int = 8
    dropout: float = 0.1
    batch: int = 4
    steps: int | None = None
    epochs: float = 150
    lr: float = 1e-4
    trunk_lr_factor: float = 0.1
    weight_decay: float = 1e-4
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 1.6,
        "side_px": 96,
        "trunk": "plain",
        "width": 64,
        "layers": 2,
        "hidden": 128,
        "queries": 8,
        "batch": 8,
        "lr": 5e-4,
        "trunk_lr_factor": 1.0,  # from scratch there is nothing in the trunk to be careful with
        "steps": 400,
    },
    "base": {"side_px": 800, "trunk": "resnet18", "norm": "gn", "layers": 3, "hidden": 1024, "queries": 20},
    "large": {"norm": "gn", "in_channels": 3},
}


class PlainTrunk(nn.Sequential):
    """Four convolutions: (N, 1, H, W) to (N, 64, H/8, W/8)."""

    feature_width = 64

    def __init__(self) -> None:
        super().__init__(
            ConvNormAct(1, 16, s=2), ConvNormAct(16, 32, s=2), ConvNormAct(32, 64, s=2), ConvNormAct(64, 64)
        )


class SetDetector(nn.Module):
    """(B, 1, 1, H, W) in [0, 1] to the outputs of `DETRLite`: logits (B, Q, K+1), boxes (B, Q, 4) as shares."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.in_channels = 1 if config.trunk == "plain" else config.in_channels
        self.trunk: Any = (
            PlainTrunk()
            if config.trunk == "plain"
            else resnet(config.trunk, in_channels=config.in_channels, norm=config.norm)
        )
        self.detr = DETRLite(
            self.trunk.feature_width,
            config.width,
            config.layers,
            config.layers,
            config.hidden,
            config.queries,
            classes,
            heads=config.heads,
            dropout=config.dropout,
        )

    def seen(self, x: Tensor) -> Tensor:
        """The trunk's last map (B, C, h, w)."""
        mean, sd = self.input_norm
        maps = self.trunk(((x[:, 0] - mean) / sd).expand(-1, self.in_channels, -1, -1))
        return maps if isinstance(maps, Tensor) else maps[-1]

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.detr(self.seen(x))
        return found


def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """The set loss over the images whose findings are all marked; zero where a batch has none."""
    keep = torch.nonzero(batch.targets["complete"])[:, 0]
    if not len(keep):
        return {"classes": outputs["logits"].sum() * 0.0}
    side = torch.tensor([batch.x.shape[-1], batch.x.shape[-2]] * 2, device=batch.x.device, dtype=torch.float32)
    targets = [_target(batch, int(n), side) for n in keep]
    used = {"logits": outputs["logits"][keep], "boxes": outputs["boxes"][keep]}
    return deep_set_loss({**used, "aux": [(a[keep], b[keep]) for a, b in outputs["aux"]]}, targets)


def _target(batch: Batch, n: int, side: Tensor) -> Target:
    boxes = batch.targets["boxes"][n] / side
    centres = torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
    return batch.targets["labels"][n], centres


def reads(config: Config, aim: Aim) -> Reads:
    """Whole images in a square."""
    return whole_images(config, "boxes", side_px=config.side_px)


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, end to end."""
    return (
        Stage(
            name="main",
            build=lambda: SetDetector(config, len(aim.labels)),
            loss=loss,
            optimiser=Optimiser(lr=config.lr, weight_decay=config.weight_decay, clip_norm=0.1, schedule="step",
                                steps_at=(0.8,), step_factor=0.1),
            lr_factors={"trunk.": config.trunk_lr_factor},
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="half_marked",
            head_prefixes=("detr.",),
        ),
    )  # fmt: skip


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Every query's best class and box, in pixels of the prepared image; passes are matched by query."""
    network: Any = modules["main"]
    seen = network.seen(batch.x)
    outputs = [network.detr(seen)]
    if inference.passes:
        outputs = []
        for t in range(min(inference.passes, PASSES)):
            with held(network, dict(inference.masks["main"]), t):
                outputs.append(network.detr(seen))
    samples = torch.stack([own["logits"].float().softmax(-1)[..., :-1] for own in outputs])  # (T, B, Q, K)
    boxes = torch.stack([own["boxes"].float() for own in outputs]).mean(0)
    embedding = torch.stack([own["embedding"].float() for own in outputs]).mean(0)
    side = torch.tensor([batch.x.shape[-1], batch.x.shape[-2]] * 2, device=boxes.device)
    return [
        _said(samples[:, n].cpu(), (corners_of(boxes[n]) * side).cpu(), embedding[n].cpu(), inference)
        for n in range(len(boxes))
    ]


def _said(samples: Tensor, boxes: Tensor, embedding: Tensor, inference: Inference) -> Prediction:
    """Of one image: samples (T, Q, K), boxes (Q, 4). Raises NotAScore."""
    require_numbers(samples, boxes)
    scores, labels = samples.mean(0).max(-1)
    order = torch.argsort(scores, descending=True, stable=True)
    order = order[scores[order] >= inference.min_score]
    if inference.per_finding is None:
        order = order[: inference.max_boxes]
    own = samples[:, order, labels[order]]
    return Prediction(
        boxes=boxes[order],
        scores=scores[order],
        labels=labels[order],
        samples=own if inference.passes else None,
        embedding=embedding,
    )


SPEC = MethodSpec(
    name="detr_lesion",
    seed_row=None,
    serves=(
        Serves(
            task="lesion_detection",
            fidelity="adapted",
            claim_note="Not in the review. The paper detects everyday objects in photographs (COCO); here the same "
            "network answers for lesions, with fewer queries.",
        ),
    ),
    findings=("mass", "calcification", "asymmetry", "architectural_distortion"),
    inputs=IMAGE,
    needs=(Need(label="box", min_train=2),),
    sizes=("tiny", "base", "large"),
    reference="N. Carion et al., End-to-end object detection with transformers, ECCV 2020.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
