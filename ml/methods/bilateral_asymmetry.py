"""Asymmetry of both breasts in one view: what one side shows and the other does not, at its mirrored place (ours).

No row of the review cites a paper about asymmetry; this is the honest counterpart of rows 9 and 12. No figures are
claimed.

Right breasts are mirrored by the preparation. Both breasts are then scaled to one distance from the chest wall to the
nipple and turned, scaled and shifted a little (10 degrees, 10 %, 5 %) until their outlines agree best; each side takes
half of the movement, so that exchanging the sides changes nothing. There is no dense warp, which would take asymmetry
away. A trunk shared by both sides (ResNet-18 to its third stage, dilated, stride 8) makes maps; a cell is compared with
the most that the other side shows in 5x5 cells about it; a small head says of each cell of each side how asymmetric it
is, and the pair's logit is their smooth maximum, plus what the difference of both grey-value histograms says (global
asymmetry). Cells inside marks are taught by a focal loss; a breast beside a slightly moved copy of itself is taught to
be symmetric. `tiny` has two pairs of convolutions and 3x3 cells.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.bilateral_diff import BilateralDiff
from ml.blocks.cells import over_pixels
from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.dropout import HeldDropout
from ml.blocks.losses import focal
from ml.blocks.pair_alignment import aligned, moved, moved_back
from ml.blocks.residual import BasicBlock
from ml.blocks.resnet import ResNet
from ml.methods.answering import MASK_THRESHOLD, MIN_COMPONENT_MM2, binary, classified, over_passes
from ml.methods.reading import PAIR, pairs
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
    Where,
)
from ml.pixels.components import components
from ml.runs.needs import Need

SHARPNESS = 4.0
PRIOR = 0.01
"""How asymmetric an untaught network thinks a cell: as in RetinaNet, since nearly all cells must say no."""
MOST_PLACES = 5
"""Places of a side that are shown."""
SHIFTS_PX = ((3, 0), (-3, 0), (0, 3), (0, -3))


@dataclass(frozen=True, kw_only=True)
class Config:
    """`width` of the trunk's first stage; `convolutions`, where given, are the widths of a plain trunk instead."""

    input_px: tuple[int, int] = (1024, 640)
    target_spacing_mm: float = 0.25
    width: int = 64
    convolutions: tuple[int, ...] = ()
    shifts: int = 5
    hidden: int = 64
    bins: int = 32
    dropout: float = 0.2
    copy_shift_px: int = 3
    batch: int = 8
    steps: int | None = None
    epochs: float = 60
    lr: float = 3e-4
    weight_decay: float = 0.05


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "input_px": (96, 64),
        "target_spacing_mm": 2.0,
        "convolutions": (8, 16),
        "shifts": 3,
        "hidden": 16,
        "steps": 300,
        "lr": 3e-3,
    },
    "large": {},
}


class PlainTrunk(nn.Module):
    """Pairs of 3x3 convolutions, each pair followed by pooling: (N, 1, H, W) to (N, C, H/2^n, W/2^n)."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        ends = (1, *widths[:-1])
        self.pairs = nn.ModuleList(
            nn.Sequential(ConvNormAct(i, o), ConvNormAct(o, o)) for i, o in zip(ends, widths, strict=True)
        )
        self.widths = list(widths)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for pair in self.pairs:
            x = functional.max_pool2d(pair(x), 2)
            found.append(x)
        return found


class BilateralNet(nn.Module):
    """Aligned sides (B, 2, 1, H, W), right first, to the pair's logit and those of cells (B, 2, h, w)."""

    input_norm = (0.25, 0.25)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.bins, self.copy_shift_px = config.bins, config.copy_shift_px
        self.trunk: nn.Module = (
            PlainTrunk(config.convolutions)
            if config.convolutions
            else ResNet(BasicBlock, (2, 2, 2), width=config.width, strides=(1, 2, 1), dilations=(1, 1, 2))
        )
        self.difference = BilateralDiff(config.shifts)
        channels = self.trunk.widths[-1]
        self.dropout = HeldDropout(channels, config.dropout)
        self.cells = nn.Sequential(nn.Conv2d(channels, config.hidden, 1), nn.ReLU(), nn.Conv2d(config.hidden, 1, 1))
        # From one half, hundreds of cells that must say no push the hidden units that could say yes out of their reach.
        nn.init.constant_(self.cells[2].bias, math.log(PRIOR / (1 - PRIOR)))  # type: ignore[arg-type]
        self.overall = nn.Sequential(nn.Linear(config.bins, 16), nn.ReLU(), nn.Linear(16, 1))

    def features(self, x: Tensor) -> Tensor:
        """(B, 2, C, h, w): the maps of both sides."""
        mean, sd = self.input_norm
        maps: Tensor = self.trunk(((x - mean) / sd).flatten(0, 1))[-1]
        return maps.unflatten(0, (len(x), 2))

    def excess(self, maps: Tensor) -> Tensor:
        """(B, 2, C, h, w): what each side shows beyond the most of the other nearby."""
        right, left = maps[:, 0], maps[:, 1]
        return torch.stack([self.difference.excess(right, left), self.difference.excess(left, right)], 1)

    def histograms(self, x: Tensor, breast: Tensor) -> Tensor:
        """(B, bins): how far apart the shares of grey values of both breasts are."""
        place = (x.float() * self.bins).long().clamp(0, self.bins - 1).flatten(2)
        counts = x.new_zeros(*x.shape[:2], self.bins).scatter_add_(2, place, breast.flatten(2).to(x))
        shares = counts / counts.sum(2, keepdim=True).clamp(min=1)
        return (shares[:, 0] - shares[:, 1]).abs()

    def judged(self, excess: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) and (B, 2, h, w): the pair's logit and those of the cells."""
        sides = self.dropout(excess.transpose(0, 1).flatten(0, 1))  # right sides, then left ones
        cells = self.cells(sides).unflatten(0, (2, len(excess)))[:, :, 0].transpose(0, 1)
        flat = SHARPNESS * cells.float().flatten(1)
        highest = (torch.logsumexp(flat, 1) - math.log(flat.shape[1])) / SHARPNESS
        return highest + self.overall(apart)[:, 0].float(), cells

    def forward(self, x: Tensor, breast: Tensor) -> dict[str, Tensor]:
        maps = self.features(x)
        excess = self.excess(maps)
        z, cells = self.judged(excess, self.histograms(x, breast))
        return {"z": z, "cells": cells, "embedding": (maps[:, 0] - maps[:, 1]).abs().mean((2, 3))}


def forward(modules: Modules, batch: Batch) -> Outputs:
    """Both sides brought together, then compared; in training also each left breast with a moved copy of itself."""
    network: Any = modules["main"]
    x, breast, movement = aligned(batch.x, batch.breast)
    said = dict(network(x, breast))
    said["movement"] = movement
    if network.training:
        left = x[:, 1:]
        reach = network.copy_shift_px
        by = torch.randint(-reach, reach + 1, (2,)).tolist()
        copies = torch.cat([left, shifted(left, *by)], 1)
        said["copy_z"] = network(copies, torch.cat([breast[:, 1:], shifted(breast[:, 1:], *by)], 1))["z"]
    return said


def shifted(x: Tensor, down: int, right: int) -> Tensor:
    """x (..., H, W) moved by whole pixels; what comes in is 0."""
    rows, cols = x.shape[-2:]
    padded = functional.pad(x, (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)))
    top, left = max(-down, 0), max(-right, 0)
    return padded[..., top : top + rows, left : left + cols]


def asymmetry_loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy of the pair and of its copies, and focal loss of the cells of pairs that have marks."""
    losses = {
        "pair": functional.cross_entropy(binary(outputs["z"]), batch.targets["class"], ignore_index=-1),
    }
    if "copy_z" in outputs:
        losses["copy"] = functional.softplus(outputs["copy_z"]).mean()
    cells = outputs["cells"]
    marks = moved(batch.targets["side_marks"][:, :, None], outputs["movement"])
    inside = (functional.adaptive_max_pool2d(marks[:, :, 0], cells.shape[-2:]) > 0.5).float()
    counted = inside.flatten(1).sum(1)
    per_pair = focal(cells, inside).flatten(1).sum(1) / counted.clamp(min=1)
    losses["cells"] = (per_pair * (counted > 0)).sum() / len(per_pair)
    return losses


def reads(config: Config, aim: Aim) -> Reads:
    """Both breasts in one view."""
    return pairs(config, config.input_px, "class", "side_marks")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage."""
    return (
        Stage(
            name="main",
            build=lambda: BilateralNet(config),
            loss=asymmetry_loss,
            forward=forward,
            optimiser=Optimiser(lr=config.lr, weight_decay=config.weight_decay),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("cells.", "overall."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The pair's probability, and where each side is asymmetric.

    Values: the most asymmetric cell of each side, and by how much small shifts change the answer.
    """
    network: Any = modules["main"]
    x, breast, movement = aligned(batch.x, batch.breast)
    maps = network.features(x)
    excess, apart = network.excess(maps), network.histograms(x, breast)
    _, cells = network.judged(excess, apart)
    best = cells.float().sigmoid().flatten(2).amax(2)
    shaken = []
    for by in SHIFTS_PX:
        pair = torch.cat([x[:, :1], shifted(x[:, 1:], *by)], 1)
        shaken.append(network.judged(network.excess(network.features(pair)), apart)[0].sigmoid())
    logits = over_passes(network, "main", inference, lambda: binary(network.judged(excess, apart)[0]))
    values = {"right": best[:, 0], "left": best[:, 1], "shift_spread": torch.stack(shaken).std(0)}
    said = classified(logits, (maps[:, 0] - maps[:, 1]).abs().mean((2, 3)), inference, values)
    if torch.compiler.is_exporting():  # places, as many as there are, cannot stand in a program of tensors
        return said
    shown = over_breasts(cells, movement, batch).detach().cpu()
    return [replace(own, where=places(shown[n], batch.mm_per_px[n])) for n, own in enumerate(said)]


def over_breasts(cells: Tensor, movement: Tensor, batch: Batch) -> Tensor:
    """Logits of cells (B, 2, h, w) of aligned sides to probabilities over the images as they came (B, 2, H, W)."""
    rows, cols = batch.x.shape[-2:]
    over = over_pixels(cells.float().sigmoid().flatten(0, 1), rows / cells.shape[-2], rows, cols)
    return moved_back(over.unflatten(0, (len(cells), 2))[:, :, None], movement)[:, :, 0]


def places(maps: Tensor, mm_per_px: Tensor) -> tuple[Where, ...]:
    """Connected parts of each side's map (2, H, W) over one half, with their mean probability."""
    shown = []
    for slot in range(2):
        least = MIN_COMPONENT_MM2 / float(mm_per_px[slot]) ** 2
        found = components(maps[slot].numpy(), MASK_THRESHOLD, least, MOST_PLACES)
        shown.append(
            Where(
                slot=slot,
                names=("asymmetry",),
                boxes=torch.from_numpy(found.boxes),
                scores=torch.from_numpy(found.scores),
                labels=torch.zeros(len(found.scores), dtype=torch.long),
            )
        )
    return tuple(shown)


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """How asymmetric each side is at each pixel (B, 2, H, W)."""
    network: Any = modules["main"]
    x, breast, movement = aligned(batch.x, batch.breast)
    return over_breasts(network(x, breast)["cells"], movement, batch)


SPEC = MethodSpec(
    name="bilateral_asymmetry",
    seed_row=None,
    serves=(
        Serves(
            task="asymmetry",
            fidelity="reconstruction",
            claim_note="Ours: no paper stands behind it and no figure is claimed. The review's rows 9 and 12 say "
            "asymmetry, but their papers are about abnormal images and about density. Surgery and unlike positioning "
            "look like asymmetry; an exam of one breast is left out.",
        ),
    ),
    findings=("asymmetry",),
    inputs=PAIR,
    needs=(Need(label="pair_class", min_train=4, min_classes=2, min_per_class=2),),
    sizes=("tiny", "large"),
    reference="MammoLoop: both breasts compared cell by cell.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    heat=heat,
)
