"""The networks of `dbn_forest`, what its stages learned, and its config. Source: see that file."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ml.blocks.conv_norm_act import ConvNormAct
from ml.blocks.estimators.forest import RandomForest
from ml.blocks.patch_dbn import PyramidDBN
from ml.methods.spec import Modules

FEATURES = 128


@dataclass(frozen=True, kw_only=True)
class Config:
    """`patch_px` and `hidden` are those of the belief nets; `kept`: share of true boxes that a cascade step keeps."""

    target_spacing_mm: float = 0.4
    max_long_px: int = 640
    levels: int = 3
    patch_px: int = 15
    hidden: tuple[int, ...] = (200, 100)
    patches: int = 200
    candidates: int = 20
    crop_px: int = 40
    margin: float = 1.5
    gate_kept: float = 0.99
    kept: float = 0.98
    trees: int = 200
    folds: int = 3
    batch: int = 8
    steps: int = 400
    rbm_steps: int = 600
    lr: float = 1e-3


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.8,
        "max_long_px": 160,
        "levels": 2,
        "patch_px": 9,
        "hidden": (48, 24),
        "candidates": 8,
        "folds": 2,
        "trees": 50,
        "steps": 240,
        "rbm_steps": 200,
    },
    "large": {},
}


class CropNet(nn.Module):
    """Crops (M, 1, 40, 40) to features (M, 128) and one logit a class (M, C)."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        widths = ((1, 16), (16, 32), (32, 64))
        self.maps = nn.Sequential(*(nn.Sequential(ConvNormAct(i, o), nn.MaxPool2d(2)) for i, o in widths))
        self.features = nn.Sequential(nn.Linear(64 * 5 * 5, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def embed(self, crops: Tensor) -> Tensor:
        return self.features(self.maps((crops - 0.25) / 0.25).flatten(1))

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        """Regions (B, 1, 1, H, W), as samples come."""
        embedding = self.embed(x[:, 0])
        return {"logits": self.head(embedding), "embedding": embedding}


class Kept(nn.Module):
    """Thresholds that a stage learned: (n,)."""

    least: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("least", torch.zeros(count))


class ForestStep(nn.Module):
    """A forest and the probability under which it throws a candidate out; 0 for the last, whose answer is the score."""

    least: Tensor

    def __init__(self, trees: int) -> None:
        super().__init__()
        self.est = RandomForest(2, trees=trees)
        self.register_buffer("least", torch.zeros(1))

    def members(self, rows: Tensor) -> Tensor:
        """(T, M) what each tree says for a lesion, in the host's memory, where the candidates are."""
        return self.est.members(rows)[..., 1].cpu()

    def passes(self, rows: Tensor) -> Tensor:
        """(M,) whether a candidate stays."""
        return self.members(rows).mean(0) >= self.least.cpu()


@dataclass(frozen=True)
class Learned:
    """The modules of the stages, each as what it is; levels of the cascades are 1 and 2."""

    modules: Modules

    @property
    def belief(self) -> PyramidDBN:
        return cast(PyramidDBN, self.modules["belief"])

    @property
    def gates(self) -> Tensor:
        """(levels - 1,) what a coarser level must say."""
        return cast(Kept, self.modules["gates"]).least

    def cnn(self, level: int) -> CropNet:
        return cast(CropNet, self.modules[f"cascade_{level}"])

    def least(self, level: int) -> Tensor:
        """(1,) what a CNN must say of a crop."""
        return cast(Kept, self.modules[f"keep_{level}"]).least

    def forest(self, level: int) -> ForestStep:
        return cast(ForestStep, self.modules[f"forest_{level}"])
