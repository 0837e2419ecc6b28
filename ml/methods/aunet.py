"""Lesions outlined in whole mammograms by AUNet: dense upsampling under a channel gate (row 5 of the review).

Source: H. Sun et al., "AUNet: attention-guided dense-upsampling networks for breast mass segmentation in whole
mammograms", Phys. Med. Biol. 65(5), 2020 (arXiv 1810.10151), and the public code of its model (lich0031/AUNet).

As in the code: an encoder of five levels whose blocks hold three convolutions and a skip, four AU blocks (bilinear and
dense upsampling side by side, the dense map added to the skip, a channel gate over both), a softmax of two classes;
whole images padded to a square of 256 pixels; cross-entropy plus soft Dice; Adam 1e-4.

Departures, each a default: dropout 0.2 after the two deepest encoder levels, for Monte-Carlo passes; a fifth of every
batch are complete images without a mark, which teach cross-entropy alone (the paper tested on images with a mass);
`large` may be run at 512 px (`input_px`), where small masses are seen. Detection is adapted: the connected parts of
the map, of one type of finding, are the boxes. Tissues instead of lesions (a label map) are learned as more classes of
the same softmax. `base` and `tiny` are ours.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.au_block import AUBlock, AUEncoderBlock
from ml.blocks.dropout import HeldDropout
from ml.blocks.losses import segmentation_loss, soft_dice
from ml.blocks.norm import start_from_scratch
from ml.methods.answering import boxes_of_map, over_passes, require_outlines
from ml.methods.reading import IMAGE, whole_images
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Loss,
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

LEVELS = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """`input_px`: side of the square that the whole breast is padded and shrunk into."""

    target_spacing_mm: float = 0.1
    input_px: int = 256
    in_channels: int = 3
    width: int = 64
    dropout: float = 0.2
    dice_weight: float = 1.0
    batch: int = 8
    steps: int | None = None
    epochs: float = 100
    lr: float = 1e-4
    rotation_degrees: float = 15.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {"input_px": 96, "in_channels": 1, "width": 8, "batch": 4, "steps": 300, "lr": 5e-3},
    "base": {"in_channels": 1, "width": 32},
    "large": {},
}


class AUNet(nn.Module):
    """(B, 1, 1, H, W) in [0, 1] to logits (B, K, H, W) and an embedding (B, 16 width); H and W multiples of 16."""

    input_norm = (0.25, 0.25)

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.in_channels = config.in_channels
        widths = [config.width * 2**level for level in range(LEVELS)]
        self.down = nn.ModuleList(
            AUEncoderBlock(i, o) for i, o in zip([config.in_channels, *widths[:-1]], widths, strict=True)
        )
        self.dropout = nn.ModuleList(HeldDropout(w, config.dropout) for w in widths[-2:])
        self.up = nn.ModuleList(AUBlock(w) for w in reversed(widths[1:]))
        self.head = nn.Conv2d(widths[0], classes, 1)
        start_from_scratch(self)
        nn.init.kaiming_normal_(self.head.weight, nonlinearity="linear")  # two outputs: by fan-out it would shout

    def fine(self, x: Tensor) -> list[Tensor]:
        """Maps of the first three levels, which no dropout touches."""
        mean, sd = self.input_norm
        y, maps = ((x[:, 0] - mean) / sd).expand(-1, self.in_channels, -1, -1), []
        for level, block in enumerate(list(self.down)[:-2]):
            y = block(functional.max_pool2d(y, 2) if level else y)
            maps.append(y)
        return maps

    def coarse(self, maps: list[Tensor]) -> list[Tensor]:
        """All five maps of the encoder, from the first three."""
        for block, dropout in zip(list(self.down)[-2:], self.dropout, strict=True):
            maps = [*maps, dropout(block(functional.max_pool2d(maps[-1], 2)))]
        return maps

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Logits (B, K, H, W)."""
        y = maps[-1]
        for block, skip in zip(self.up, reversed(maps[:-1]), strict=True):
            y = block(y, skip)
        return self.head(y)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        maps = self.coarse(self.fine(x))
        return {"logits": self.decode(maps), "embedding": maps[-1].mean((2, 3))}


def lesion_loss(config: Config) -> Loss:
    """Cross-entropy of two classes, which is that of one logit, their difference; and soft Dice of marked images."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        background, lesion = outputs["logits"].float().split(1, 1)
        parts = segmentation_loss(lesion - background, batch.targets["mask"][:, None], batch.valid[:, 0])
        return {**parts, "dice": config.dice_weight * parts["dice"]}

    return loss


def tissue_loss(config: Config) -> Loss:
    """Cross-entropy of all classes, and soft Dice of those that an image has."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        logits, truth, valid = outputs["logits"].float(), batch.targets["tissue"], batch.valid[:, 0, 0]
        entropy = functional.cross_entropy(logits, truth, reduction="none")
        p, losses, counts = logits.softmax(1), [], []
        for k in range(logits.shape[1]):
            own = (truth == k) & valid
            there = own.flatten(1).any(1)
            losses.append((1 - soft_dice(p[:, k], own.float(), valid)) * there)
            counts.append(there)
        missing = torch.stack(losses).sum() / torch.stack(counts).sum().clamp(min=1)
        return {
            "cross_entropy": (entropy * valid).sum() / valid.sum().clamp(min=1),
            "dice": config.dice_weight * missing,
        }

    return loss


def reads(config: Config, aim: Aim) -> Reads:
    """Whole breasts, padded to a square."""
    return whole_images(config, "tissue" if aim.target == "tissue" else "mask", side_px=config.input_px)


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, end to end. Raises RunRefused where detection asks for several findings at once."""
    tissues = aim.target == "tissue"
    if not tissues:
        require_outlines(aim, "aunet")
    return (
        Stage(
            name="main",
            build=lambda: AUNet(config, len(aim.labels) if tissues else 2),
            loss=tissue_loss(config) if tissues else lesion_loss(config),
            optimiser=Optimiser(kind="adam", lr=config.lr),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="plain" if tissues else "mostly_marked",
            head_prefixes=("head.",),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """A map of each image; with passes their mean. The first three levels run once, the rest once per pass."""
    network: Any = modules["main"]
    fine = network.fine(batch.x)
    embedding = network.coarse(fine)[-1].mean((2, 3)).float().cpu()
    logits = over_passes(network, "main", inference, lambda: network.decode(network.coarse(fine)))
    maps = logits.softmax(2).cpu()  # (B, T, K, H, W)
    if inference.aim.target != "tissue":
        maps = maps[:, :, 1]
    if inference.aim.task == "lesion_detection":
        mm = batch.mm_per_px[:, 0].tolist()
        return [boxes_of_map(maps[n], mm[n], inference, embedding[n]) for n in range(len(maps))]
    return [
        Prediction(mask=maps[n].mean(0), mask_samples=maps[n] if inference.passes else None, embedding=embedding[n])
        for n in range(len(maps))
    ]


SPEC = MethodSpec(
    name="aunet",
    seed_row=5,
    serves=(
        Serves(
            task="segmentation",
            fidelity="paper",
            claim_note="The review lists mass detection and classification by spatial attention; the paper outlines "
            "masses in whole images, and its attention is over channels. It reports a Dice of 81.8 % on CBIS-DDSM and "
            "79.1 % on INbreast, on images with a mass (figures of the paper).",
        ),
        Serves(
            task="lesion_detection",
            fidelity="adapted",
            claim_note="The paper detects nothing: here the connected parts of the outlined map, of one type of "
            "finding, are boxes, and their score is the mean probability inside.",
        ),
    ),
    findings=("mass",),
    inputs=IMAGE,
    needs=(Need(label="outline", min_train=2),),
    sizes=("tiny", "base", "large"),
    reference="H. Sun et al., AUNet: attention-guided dense-upsampling networks for breast mass segmentation in whole "
    "mammograms, Phys. Med. Biol. 65(5), 2020.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
