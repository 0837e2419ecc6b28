"""The networks of `screening_ensemble`, and the boxes that its frozen detector proposes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbones import backbone
from ml.blocks.mobilenet_v2 import PLAN, MobileNetV2
from ml.methods import retinanet_mass
from ml.methods.spec import Batch, Lesson, Modules

PROPOSALS = "proposals:boxes"
"""What is kept of the detector's boxes on training images."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`rows_px`, `cols_px`: the preparation that all models read; breast and case models read it at half its size.

    crop_plan is that of `MobileNetV2`, the other trunks are names of `ml.blocks.backbones`; detector_size is a size of
    `retinanet_mass`.
    """

    target_spacing_mm: float = 0.05
    rows_px: int = 4096
    cols_px: int = 2048
    detector_size: str = "large"
    sections: bool = True
    boxes: int = 10
    margin: float = 1.5
    crop_px: int = 512
    crop_plan: tuple[tuple[int, int, int, int], ...] = PLAN
    crop_features: int = 1280
    breast_trunk: str = "resnet50_v2"
    case_trunk: str = "resnet50"
    hidden: int = 512
    copies: int = 1
    pos_weight: float | None = None
    batch: int = 4
    steps: int | None = None
    epochs: float = 30
    detector_steps: int | None = None
    detector_epochs: float = 30
    lr: float = 1e-4
    detector_lr: float = 1e-4
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.8,
        "rows_px": 256,
        "cols_px": 128,
        "detector_size": "tiny",
        "sections": False,
        "crop_px": 32,
        "crop_plan": ((1, 8, 1, 1), (6, 16, 1, 2), (6, 24, 1, 2)),
        "crop_features": 64,
        "breast_trunk": "tiny_resnet50_v2",
        "case_trunk": "tiny_resnet_bottleneck",
        "hidden": 64,
        "batch": 8,
        "steps": 120,
        "detector_steps": 200,
        "lr": 1e-3,
        "detector_lr": 1e-3,
    },
    "base": {
        "target_spacing_mm": 0.1,
        "rows_px": 2048,
        "cols_px": 1024,
        "detector_size": "base",
        "crop_px": 256,
        "breast_trunk": "tiny_resnet50_v2",
        "case_trunk": "resnet18",
        "hidden": 256,
    },
    "large": {},
}


def grey(x: Tensor, trunk: Any) -> Tensor:
    """(N, 1, H, W) in [0, 1] as a trunk of that many channels takes it."""
    return ((x - 0.449) / 0.226).expand(-1, trunk.in_channels, -1, -1)


class BoxClassifier(nn.Module):
    """Crops (M, 1, h, w) to one logit each (M,)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = MobileNetV2(plan=config.crop_plan, last=config.crop_features)
        self.head = nn.Linear(self.trunk.embed_width, 1)

    def forward(self, crops: Tensor) -> Tensor:
        return self.head(self.trunk.embed(grey(crops, self.trunk)))[:, 0]


class ViewsClassifier(nn.Module):
    """Views (B, V, 1, H, W) with their mask (B, V) to one logit (B,) and the hidden vector (B, D)."""

    def __init__(self, trunk: str, views: int, hidden: int) -> None:
        super().__init__()
        self.trunk = backbone(trunk)
        self.fuse = nn.Sequential(nn.Linear(views * self.trunk.embed_width, hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, view_mask: Tensor) -> tuple[Tensor, Tensor]:
        half = functional.avg_pool2d(x.flatten(0, 1), 2)
        features = self.trunk.embed(grey(half, self.trunk)).unflatten(0, x.shape[:2])
        hidden = self.fuse((features * view_mask[..., None]).flatten(1))
        return self.head(hidden)[:, 0], hidden


class Copies(nn.Module):
    """The same network several times, from different beginnings."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)


def detector_config(config: Config) -> retinanet_mass.Config:
    """The detector of row 4."""
    options = {**retinanet_mass.DEFAULTS[config.detector_size], "sections": config.sections, "dropout": 0.0}
    return retinanet_mass.Config(**{**options, "lr": config.detector_lr})


def proposed(config: Config, modules: Modules, x: Tensor) -> list[Tensor]:
    """The best boxes (M, 4) of each of the images (N, 1, H, W), as the frozen detector finds them."""
    with torch.no_grad():
        detector: Any = modules["lesion_detector"].eval()
        return retinanet_mass.propose(detector, x, detector_config(config), config.boxes)


def moved(boxes: Tensor, matrix: Tensor) -> Tensor:
    """Boxes (M, 4) whose centres go where a matrix (3, 3) float64 sends them, their sides scaled and not turned.

    The upright box around a turned one would be larger than what a detector draws.
    """
    linear = matrix[:2, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]).double() / 2 @ linear.T + matrix[:2, 2]
    half = (boxes[:, 2:] - boxes[:, :2]).double() / 2 * linear.det().abs().sqrt()
    return torch.cat([centre - half, centre + half], 1).to(boxes)


def keep_proposals(config: Config, lesson: Lesson) -> None:
    """Ask the detector about each training image once: it learns no more.

    Kept by breast: proposals (N, V, K, 4) with centre and sides in source pixels, but upright in the prepared image;
    their number (N, V); and proposed (N,), which is True.
    """
    kept, index = defaultdict[str, list[Tensor]](list), list[int]()
    for batch in lesson.batches("train", size=4):
        found = proposed(config, lesson.modules, batch.x.flatten(0, 1))
        back = torch.linalg.inv(batch.affine.flatten(0, 1).cpu())
        boxes = [
            functional.pad(moved(own.cpu(), matrix), (0, 0, 0, config.boxes - len(own)))
            for own, matrix in zip(found, back, strict=True)
        ]
        kept["proposals"].append(torch.stack(boxes).unflatten(0, batch.x.shape[:2]))
        kept["proposal_count"].append(torch.tensor([len(own) for own in found]).unflatten(0, batch.x.shape[:2]))
        kept["proposed"].append(torch.ones(len(batch.ids), dtype=torch.bool))
        index += lesson.places(batch.ids)
    lesson.keep("boxes", {**{name: torch.cat(own) for name, own in kept.items()}, "index": torch.tensor(index)})


def recalled(batch: Batch) -> list[Tensor] | None:
    """The kept boxes of each view of a batch where they lie in its pixels; None unless all its samples have some.

    A box whose centre was turned out of the image is none.
    """
    if "proposed" not in batch.targets or not bool(batch.targets["proposed"].all()):
        return None
    found, counts = batch.targets["proposals"].flatten(0, 1).cpu(), batch.targets["proposal_count"].flatten().tolist()
    limits = torch.tensor([batch.x.shape[-1], batch.x.shape[-2]])
    here = []
    for own, count, matrix in zip(found, counts, batch.affine.flatten(0, 1).cpu(), strict=True):
        boxes = moved(own[:count], matrix)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        here.append(boxes[((centre >= 0) & (centre < limits)).all(1)])
    return here


Found = list[Tensor] | None
