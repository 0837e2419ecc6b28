"""Density from the grey values of four views alone, wherever they lie: the baseline of the other density methods.

Source: N. Wu et al., "Breast density classification with deep convolutional neural networks", ICASSP 2018, and its
public code (nyukat/breast_density_classifier), where this is the baseline.

As in the code: a histogram of 50 bins a view, normed to sum 1; four views in the order L-CC, R-CC, L-MLO, R-MLO,
concatenated, FC 100, ReLU, FC 4. Training (Adam 1e-3, cross-entropy) is a reconstruction.

Departures, each a default: bins over [0, 1] of the pixels of the breast alone (`mask`), since the published bins, over
each image's own range, count the background too (`mask=False` reproduces them; norming to mean 0 and spread 1 before
does not change such bins); shares are multiplied by the number of bins, so that they are about 1 and the hidden layer
learns in the steps of a run; a missing view is the same view of the other breast; the sampler balances classes.
There is no dropout: uncertainty is entropy. The sizes differ in the images that are counted, not in the network.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.answering import classified
from ml.methods.densities import NEEDS, NYU_EXAM, NYU_VIEWS, density_loss
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    MethodSpec,
    Modules,
    Optimiser,
    Prediction,
    Reads,
    Serves,
    Stage,
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """`mask`: count breast pixels in bins over [0, 1]; else all pixels, in bins over the image's own range."""

    target_spacing_mm: float = 0.4
    bins: int = 50
    mask: bool = True
    hidden: int = 100
    batch: int = 16
    steps: int | None = None
    epochs: float = 60
    lr: float = 1e-3


DEFAULTS: dict[str, dict[str, Any]] = {"tiny": {"target_spacing_mm": 1.6, "steps": 400}, "large": {}}


def histograms(x: Tensor, counted: Tensor, bins: int, *, own_range: bool) -> Tensor:
    """(N, bins) shares of the counted pixels of images (N, ...) in each bin, over [0, 1] or over each image's range.

    An image in which nothing is counted has shares of 0.
    """
    x, inside = x.float().flatten(1), counted.flatten(1)
    low, high = torch.zeros_like(x[:, :1]), torch.ones_like(x[:, :1])
    if own_range:
        low = x.masked_fill(~inside, float("inf")).amin(1, keepdim=True)
        high = x.masked_fill(~inside, float("-inf")).amax(1, keepdim=True)
    place = ((x - low) / (high - low).clamp(min=1e-6) * bins).nan_to_num(0.0, 0.0, 0.0)
    counts = x.new_zeros(len(x), bins).scatter_add_(1, place.long().clamp(0, bins - 1), inside.to(x))
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


class HistogramNet(nn.Module):
    """Shares (B, V * bins) to logits (B, K) and the hidden layer (B, `hidden`) as the embedding."""

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(len(NYU_VIEWS) * config.bins, config.hidden)
        self.head = nn.Linear(config.hidden, classes)

    def shares(self, x: Tensor, counted: Tensor) -> Tensor:
        """(B, V, 1, H, W) and what is counted of it to (B, V * bins)."""
        flat = histograms(x.flatten(0, 1), counted.flatten(0, 1), self.config.bins, own_range=not self.config.mask)
        return flat.reshape(len(x), -1)

    def forward(self, shares: Tensor) -> dict[str, Tensor]:
        embedding = torch.relu(self.hidden(shares * self.config.bins))
        return {"logits": self.head(embedding), "embedding": embedding}


def forward(modules: Modules, batch: Batch) -> dict[str, Tensor]:
    """From pixels to logits."""
    network: Any = modules["main"]
    counted = batch.breast if network.config.mask else batch.valid
    said: dict[str, Tensor] = network(network.shares(batch.x, counted))
    return said


def reads(config: Config, aim: Aim) -> Reads:
    """Four views as they are: what moves pixels does not move a histogram, what bends grey values would spoil it."""
    return Reads(
        inputs=NYU_EXAM,
        pixels={"target_spacing_mm": config.target_spacing_mm, "window": "density"},
        targets=("density",),
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage."""
    return (
        Stage(
            name="main",
            build=lambda: HistogramNet(config, len(aim.labels)),
            loss=density_loss(0.0),
            forward=forward,
            optimiser=Optimiser(kind="adam", lr=config.lr, schedule="constant", warmup_share=0.0),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("head.",),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Softmax of a batch."""
    said = forward(modules, batch)
    return classified(said["logits"][:, None], said["embedding"], inference)


SPEC = MethodSpec(
    name="histogram_density",
    seed_row=None,
    serves=(
        Serves(
            task="density",
            fidelity="paper",
            claim_note="The baseline of the NYU density paper: grey values without place. It stands beside every other "
            "density method, none of which is worth its cost unless it is better. Bins over the breast alone are ours.",
        ),
    ),
    findings=(),
    inputs=NYU_EXAM,
    needs=NEEDS,
    sizes=("tiny", "large"),
    reference="N. Wu et al., Breast density classification with deep convolutional neural networks, ICASSP 2018.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="entropy",
)
