"""Cancer in a breast from its two views by a ConvNeXt (beyond the review's rows).

Source of the trunk: Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022; of the pooling: M. Ilse et al., "Attention-
based deep multiple instance learning", ICML 2018. How they are put together here is ours.

As in the papers: ConvNeXt-T (depthwise 7x7, LayerNorm, 1x1 to four times the width, GELU, 1x1, layer scale 1e-6,
stochastic depth 0.1), AdamW, rates that fall by 0.8 a stage towards the stem, an average of the weights; gated
attention with 128 hidden units.

Ours: CC and MLO share the trunk, and one attention weighs all places of both; a view that is missing is not looked at;
1536x768 pixels; dropout 0.2 on the pooled vector, for Monte-Carlo passes; no mixup; the rate falls per stage, not per
block. Without outcomes the label is whether there is a finding. `tiny` has three stages and `base` half the width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.convnext import ConvNeXt
from ml.blocks.convnext_block import LAYER_SCALE
from ml.blocks.dropout import HeldDropout
from ml.blocks.gated_attention import GatedAttention
from ml.methods.answering import binary, classified, over_passes
from ml.methods.reading import BREAST, TWO_VIEWS, varied
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


@dataclass(frozen=True, kw_only=True)
class Config:
    """`layer_decay`: factor of the rate for every stage below the head. `layer_scale`: where a block's share begins."""

    rows_px: int = 1536
    cols_px: int = 768
    target_spacing_mm: float = 0.14
    depths: tuple[int, ...] = (3, 3, 9, 3)
    dims: tuple[int, ...] = (96, 192, 384, 768)
    stochastic_depth: float = 0.1
    layer_scale: float = LAYER_SCALE
    hidden: int = 128
    dropout: float = 0.2
    batch: int = 16
    steps: int | None = None
    epochs: float = 40
    lr: float = 2e-4
    weight_decay: float = 0.05
    layer_decay: float = 0.8
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "rows_px": 128,
        "cols_px": 64,
        "target_spacing_mm": 1.6,
        "depths": (1, 1, 2),
        "dims": (16, 32, 64),
        "stochastic_depth": 0.0,
        "batch": 8,
        "steps": 300,
        "lr": 2e-3,
    },
    "base": {"rows_px": 768, "cols_px": 384, "target_spacing_mm": 0.28, "dims": (48, 96, 192, 384)},
    "large": {},
}


class ConvNeXtBreast(nn.Module):
    """(B, 2, 1, H, W) in [0, 1] to logits (B, 2) = [0, z], attention (B, 2, h, w) over both views, embedding (B, D)."""

    input_norm = (0.449, 0.226)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = ConvNeXt(config.depths, config.dims, drop=config.stochastic_depth, layer_scale=config.layer_scale)
        features = self.trunk.feature_width
        self.attention = GatedAttention(features, config.hidden)
        self.dropout = HeldDropout(features, config.dropout)
        self.head = nn.Linear(features, 1)

    def cells(self, x: Tensor) -> Tensor:
        """The places of the breast (B, V, h, w, D)."""
        mean, sd = self.input_norm
        maps = self.trunk(((x - mean) / sd).flatten(0, 1))[-1]
        cells: Tensor = self.trunk.classifier[0](maps).unflatten(0, x.shape[:2]).movedim(2, -1)
        return cells

    def pool(self, cells: Tensor, view_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The breast's vector (B, D), and the attention (B, V, h, w); a missing view weighs nothing."""
        there = view_mask[:, :, None, None].expand(cells.shape[:-1])
        pooled, attention = self.attention(cells.flatten(1, 3), there.flatten(1))
        return pooled, attention.reshape(there.shape)

    def logits(self, pooled: Tensor) -> Tensor:
        """(B, D) to (B, 2)."""
        return binary(self.head(self.dropout(pooled))[:, 0])

    def forward(self, x: Tensor, view_mask: Tensor) -> dict[str, Tensor]:
        pooled, attention = self.pool(self.cells(x), view_mask)
        return {"logits": self.logits(pooled), "attention": attention, "embedding": pooled}


def forward(modules: Modules, batch: Batch) -> Outputs:
    """The network on the views that are there."""
    outputs: Outputs = modules["main"](batch.x, batch.view_mask)
    return outputs


def loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy of the breast."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def reads(config: Config, aim: Aim) -> Reads:
    """Both views of a breast at one scale."""
    return Reads(
        inputs=BREAST,
        pixels={
            "target_spacing_mm": config.target_spacing_mm,
            "size": (config.rows_px, config.cols_px),
            "window": "percentile",
        },
        augment={**varied(config.rotation_degrees), "brightness": 0.05},
        targets=("class",),
    )


def rates(config: Config) -> dict[str, float]:
    """Factors of the rate by the prefix of weights: the decay once for the last stage, most often for the stem."""
    with torch.device("meta"):
        trunk = ConvNeXt(config.depths, config.dims)
    deep = len(trunk.stage_prefixes)
    factors = {"trunk.features.0.": config.layer_decay ** (deep + 1)}
    for n, prefixes in enumerate(trunk.stage_prefixes, start=1):
        factors |= {f"trunk.{prefix}": config.layer_decay ** (deep + 1 - n) for prefix in prefixes}
    return factors


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, from pixels to the breast's answer."""
    return (
        Stage(
            name="main",
            build=lambda: ConvNeXtBreast(config),
            forward=forward,
            loss=loss,
            optimiser=Optimiser(lr=config.lr, weight_decay=config.weight_decay),
            lr_factors=rates(config),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("attention.", "head."),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Trunk and attention run once, the head once per pass; values tell how much of it rests on each view."""
    network: Any = modules["main"]
    pooled, attention = network.pool(network.cells(batch.x), batch.view_mask)
    logits = over_passes(network, "main", inference, lambda: network.logits(pooled))
    shares = attention.float().sum((2, 3))
    return classified(
        logits, pooled, inference, {f"attention_{view}": shares[:, v] for v, view in enumerate(TWO_VIEWS)}
    )


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """What each place adds to the logit (B, V, h, w): its attention times what the head makes of it alone.

    The logit is their sum, so this is exact. Grad-CAM at the same maps points at air, whose normalised features are as
    long as the breast's.
    """
    network: Any = modules["main"]
    cells = network.cells(batch.x)
    _, attention = network.pool(cells, batch.view_mask)
    return torch.relu(attention * functional.linear(cells, network.head.weight)[..., 0])


SPEC = MethodSpec(
    name="convnext_breast",
    seed_row=None,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="reconstruction",
            claim_note="Not a row of the review: a modern trunk to compare the others with. No paper reports this "
            "network on mammograms; ConvNeXt-T has 82.1 % on ImageNet (figure of its paper).",
        ),
    ),
    findings=(),
    inputs=BREAST,
    needs=(Need(label="breast_class", min_train=2, min_classes=2),),
    sizes=("tiny", "base", "large"),
    reference="Z. Liu et al., A ConvNet for the 2020s, CVPR 2022; M. Ilse et al., Attention-based deep multiple "
    "instance learning, ICML 2018.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    heat=heat,
)
