"""Masses of a region outlined and told benign from malignant by two paths (row 15 of the review).

Source: H. Li et al., "Dual convolutional neural networks for breast mass segmentation and diagnosis in mammography",
IEEE TMI 41(1), 2022 (earlier arXiv 1903.00001).

From the paper: a locality preserving learner (U-Net-like) that outlines the mass, a conditional graph learner that
reads its shape from how image and mask correlate, and one class of both.

Reconstructed: all widths, regions of 128 pixels at 1.5 times the mark; two graph layers on a grid of 16x16 nodes, whose
edges come from image queries and mask keys; mask alone first, then mask and class together, the class weighing 0.5 to
1 over the first fifth of the plan, with the true mask in half of the regions of its first half. Adam 1e-4. Ours beside
the class head's dropout of 0.5: one of 0.2 in the deepest U-Net level, so that the passes are unsure of outlines too.
`base` halves the widths, `tiny` has three levels.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.dropout import HeldDropout, held
from ml.blocks.losses import segmentation_loss, soft_cross_entropy
from ml.blocks.norm import norm_layer, start_from_scratch
from ml.blocks.unet import DoubleConv, UNet
from ml.methods.aims import PATHOLOGIES
from ml.methods.answering import MASK_THRESHOLD, classified, require_outlines
from ml.methods.reading import squares
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
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
    Task,
)
from ml.runs.needs import Need

CLASSES = 2
CLASS_WEIGHTS = (0.5, 1.0)
RAMP_SHARE = 0.2
TEACHING_SHARE = 0.5
TEACHING_PROBABILITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Config:
    """`levels` of the U-Net; the graph learner's encoders have one less, or as many where it has three."""

    target_spacing_mm: float = 0.1
    roi_px: int = 128
    width: int = 32
    levels: int = 5
    node_levels: int = 4
    keys: int = 64
    graph_layers: int = 2
    hidden: int = 128
    dropout: float = 0.5
    mask_dropout: float = 0.2
    batch: int = 16
    lpl_steps: int = 6000
    steps: int = 12000
    lr: float = 1e-4
    rotation_degrees: float = 15.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.2,
        "roi_px": 48,
        "width": 8,
        "levels": 3,
        "node_levels": 3,
        "keys": 8,
        "lpl_steps": 150,
        "steps": 250,
        "lr": 5e-3,
    },
    "base": {"width": 16, "keys": 32, "lpl_steps": 4000, "steps": 8000},
    "large": {},
}


class Encoder(nn.Module):
    """(B, 1, S, S) to a grid of nodes (B, width 2^(levels-1), S / 2^(levels-1), ...)."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        widths = [1, *(width * 2**k for k in range(levels))]
        self.blocks = nn.ModuleList(DoubleConv(i, o) for i, o in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for k, block in enumerate(self.blocks):
            x = block(functional.max_pool2d(x, 2) if k else x)
        return x


class GraphLayer(nn.Module):
    """Image nodes h and mask nodes m (B, C, r, c) to new image nodes: ReLU(h + BN(W h A^T)).

    A (B, N, N), N = r c, is the softmax over j of q(h_i) k(m_j) / sqrt(keys): node i gathers from the nodes whose mask
    fits it, and its row sums to 1.
    """

    def __init__(self, channels: int, keys: int) -> None:
        super().__init__()
        self.query, self.key = nn.Conv2d(channels, keys, 1), nn.Conv2d(channels, keys, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.norm = norm_layer("bn", channels)

    def edges(self, h: Tensor, m: Tensor) -> Tensor:
        """(B, N, N)."""
        q, k = self.query(h).flatten(2), self.key(m).flatten(2)
        return (q.transpose(1, 2) @ k / math.sqrt(q.shape[1])).float().softmax(2)

    def forward(self, h: Tensor, m: Tensor) -> Tensor:
        gathered = self.value(h).flatten(2).float() @ self.edges(h, m).transpose(1, 2)
        return torch.relu(h + self.norm(gathered.reshape(h.shape).to(h)))


class GraphLearner(nn.Module):
    """Conditional on the mask: image and mask (B, 1, S, S) to a vector (B, C)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.image = Encoder(config.width, config.node_levels)
        self.mask = Encoder(config.width, config.node_levels)
        self.channels = config.width * 2 ** (config.node_levels - 1)
        self.layers = nn.ModuleList(GraphLayer(self.channels, config.keys) for _ in range(config.graph_layers))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        h, m = self.image(image), self.mask(mask)
        for layer in self.layers:
            h = layer(h, m)
        return h.mean((2, 3))


def locality_learner(config: Config) -> UNet:
    """The U-Net that outlines."""
    depth = config.levels - 1
    return UNet(1, 1, config.width, depth, dropout=config.mask_dropout, dropout_levels=1)


class DualCoreNet(nn.Module):
    """(B, 1, S, S) to `mask` logits (B, 1, S, S), class `logits` (B, 2) and an `embedding`.

    `seen` counts the regions of training: how much the class weighs, and whether a true mask is shown, depend on it.
    """

    seen: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.planned = config.steps * config.batch
        self.lpl, self.cgl = locality_learner(config), GraphLearner(config)
        features = self.lpl.widths[-1] + self.cgl.channels
        self.hidden = nn.Linear(features, config.hidden)
        self.dropout = HeldDropout(config.hidden, config.dropout)
        self.head = nn.Linear(config.hidden, CLASSES)
        self.register_buffer("seen", torch.tensor(0))
        start_from_scratch(self)

    @property
    def share(self) -> float:
        """How much of the plan is over."""
        return min(1.0, int(self.seen) / max(1, self.planned))

    def class_weight(self) -> float:
        """0.5 at first, 1 after a fifth of the plan."""
        low, high = CLASS_WEIGHTS
        return low + (high - low) * min(1.0, self.share / RAMP_SHARE)

    def shown(self, z: Tensor, truth: Tensor | None, marked: Tensor | None) -> Tensor:
        """What the graph learner sees as the mask: its own probability, or in early training now and then the truth."""
        own = torch.sigmoid(z)
        if truth is None or marked is None or not self.training or self.share >= TEACHING_SHARE:
            return own
        taught = (torch.rand(len(z), device=z.device) < TEACHING_PROBABILITY) & marked
        return torch.where(taught[:, None, None, None], truth.to(own), own)

    def forward(self, x: Tensor, truth: Tensor | None = None, marked: Tensor | None = None) -> dict[str, Tensor]:
        rows, cols = x.shape[-2:]
        maps = self.lpl.encode(x)
        z = self.lpl.out(self.lpl.decode(maps))[..., :rows, :cols]
        geometry = self.cgl(x, self.shown(z, truth, marked))
        embedding = torch.cat([maps[-1].mean((2, 3)), geometry], 1)
        logits = self.head(self.dropout(torch.relu(self.hidden(embedding))))
        if self.training:
            self.seen += len(x)
        return {"mask": z, "logits": logits, "embedding": embedding}


def mask_losses(z: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Binary cross-entropy and soft Dice of regions with an outline: without one a mask is not known to be empty."""
    outlined = batch.targets["marked"][:, None, None, None]
    return segmentation_loss(z, batch.targets["mask"][:, None], batch.valid[:, 0] & outlined)


def joint_loss(config: Config) -> Loss:
    """Mask losses, and the cross-entropy of the class, which grows."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        truth = functional.one_hot(batch.targets["class"], CLASSES).float()
        entropy = soft_cross_entropy(outputs["logits"], truth).mean()
        return {**mask_losses(outputs["mask"], batch), "class": outputs["class_weight"] * entropy}

    return loss


def forward_joint(modules: Modules, batch: Batch) -> Outputs:
    """Both paths; the true mask may be shown to the second."""
    network: Any = modules["joint"]
    weight = network.class_weight()
    found = network(batch.x[:, 0], batch.targets["mask"][:, None], batch.targets["marked"])
    return {**found, "class_weight": weight}


def forward_mask(modules: Modules, batch: Batch) -> Outputs:
    """The U-Net alone."""
    return {"mask": modules["lpl"](batch.x[:, 0])}


def reads(config: Config, aim: Aim) -> Reads:
    """Marked squares, with their class and their outline."""
    return squares(config, "class", "mask")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """The outline, then outline and class together. Raises RunRefused where tissues are asked for."""
    require_outlines(aim, "dualcorenet")
    adam = Optimiser(kind="adam", lr=config.lr)
    return (
        Stage(
            name="lpl",
            build=lambda: locality_learner(config),
            forward=forward_mask,
            loss=lambda outputs, batch: mask_losses(outputs["mask"], batch),
            optimiser=adam,
            steps=config.lpl_steps,
            batch=config.batch,
            validate="loss",
            head_prefixes=("out.",),
        ),
        Stage(
            name="joint",
            build=lambda: DualCoreNet(config),
            forward=forward_joint,
            loss=joint_loss(config),
            optimiser=adam,
            starts_from=(Copied(stage="lpl", to="lpl."),),
            steps=config.steps,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("hidden.", "head.", "lpl.out."),
        ),
    )


def largest_part(mask: Tensor) -> Tensor:
    """(S, S) with only the largest part over the threshold; others are lowered to it."""
    labels, count = ndimage.label(mask.numpy() > MASK_THRESHOLD)
    if count < 2:
        return mask
    kept = 1 + int(np.bincount(labels.reshape(-1))[1:].argmax())
    others = torch.from_numpy((labels > 0) & (labels != kept))
    return torch.where(others, torch.full_like(mask, MASK_THRESHOLD), mask)


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The class, or the outline, of each region; with passes both paths are thinned."""
    network: Any = modules["joint"]
    x = batch.x[:, 0]
    plain = network(x)
    passes = []
    for t in range(inference.passes):
        with held(network, dict(inference.masks["joint"]), t):
            passes.append(network(x))
    said = passes or [plain]
    maps = torch.stack([own["mask"][:, 0].float().sigmoid() for own in said], 1).cpu()  # (B, T, S, S)
    embedding = plain["embedding"].float().cpu()
    if inference.aim.task == "segmentation":
        return [
            Prediction(
                mask=largest_part(maps[n].mean(0)),
                mask_samples=maps[n] if inference.passes else None,
                embedding=embedding[n],
            )
            for n in range(len(x))
        ]
    mean = maps.mean(1)
    entropy = (torch.special.entr(mean) + torch.special.entr(1 - mean)).mean((1, 2))
    logits = torch.stack([own["logits"] for own in said], 1)
    return classified(logits, embedding, inference, {"mask_entropy": entropy})


def classes(config: Config, task: Task) -> tuple[str, ...] | None:
    """Outlines are learned together with the pathology too."""
    return PATHOLOGIES if task == "segmentation" else None


SPEC = MethodSpec(
    name="dualcorenet",
    seed_row=15,
    serves=(
        Serves(
            task="lesion_classification",
            fidelity="reconstruction",
            claim_note="The review lists mass detection and classification; the paper detects nothing: it outlines "
            "masses in given regions of DDSM and INbreast and tells benign from malignant.",
        ),
        Serves(
            task="segmentation",
            fidelity="reconstruction",
            claim_note="Outlines are those of given regions, as in the paper; unread images are looked at in a grid "
            "of regions, which the paper does not do.",
        ),
    ),
    findings=("mass",),
    inputs=Inputs(unit="roi"),
    needs=(Need(label="outline", min_train=4), Need(label="pathology", min_train=4, min_classes=2)),
    sizes=("tiny", "base", "large"),
    reference="H. Li et al., Dual convolutional neural networks for breast mass segmentation and diagnosis in "
    "mammography, IEEE TMI 41(1), 2022.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    classes=classes,
)
