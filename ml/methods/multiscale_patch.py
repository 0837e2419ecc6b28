"""Cancer from whole images by two networks that learned patches first: calcifications fine, masses coarse (row 2).

Source: W. Lotter, G. Sorensen, D. Cox, "A multi-scale CNN and curriculum learning strategy for mammogram
classification", DLMIA 2017 (arXiv 1707.06978).

As there: a residual network per scale is taught on patches around lesions and of background, and its weights begin a
network that scans the whole image, trained end to end on the image's outcome; the answer is the mean of both scales.

A reconstruction in its numbers, each a default: widths, spacings and patch size; windows as large as a patch, half
overlapping, of whose features the scan takes the maximum; SGD for patches (AdamW at `tiny`: in few steps SGD learns
next to nothing), AdamW for scans, the trunk at a tenth of the head's rate and its BatchNorm at rest; dropout 0.3 before
both heads. A lesion of unknown pathology teaches its type alone. Hard backgrounds: in each batch the half that looks
most like a lesion counts twice, where the paper draws such patches anew. Half of the images of a batch have a finding
of the scale's type, and give a patch around it; the others give one of the breast. What a scale's patch network says of
every window is a heat map, whose peaks over 0.5 are boxes of a window's size; the scan, which gives the answer, moved
away from that network in its own stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.boxes import nms
from ml.blocks.cells import over_pixels
from ml.blocks.dropout import HeldDropout
from ml.blocks.norm import is_batch_norm, norm_layer, start_from_scratch
from ml.blocks.preact import PreActBlock
from ml.methods.answering import binary, classified, over_passes
from ml.methods.multiscale_views import (
    CLASSES,
    LESIONS,
    SCALES,
    TARGETS,
    TAUGHT,
    Scale,
    at_scale,
    factor,
    patch_loss,
    patch_view,
)
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
    Forward,
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
    TrainView,
    Where,
)
from ml.runs.needs import Need

PEAK = 0.5
MOST_PEAKS, PEAK_IOU = 10, 0.3
"""Of the boxes that are shown, how many there may be and how far they may overlap."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Spacings are those of the two scales; `patch_px` is the side of a patch at either; `patches_by` learns them."""

    fine_mm: float = 0.1
    coarse_mm: float = 0.25
    patch_px: int = 256
    widths: tuple[int, ...] = (32, 64, 128, 256, 512)
    blocks: int = 2
    dropout: float = 0.3
    patches_batch: int = 32
    patches_steps: int | None = None
    patches_epochs: float = 60
    patches_by: Literal["sgd", "adamw"] = "sgd"
    patches_lr: float = 1e-2
    batch: int = 4
    steps: int | None = None
    epochs: float = 30
    lr: float = 3e-4
    trunk_lr_factor: float = 0.1

    @property
    def cell_px(self) -> int:
        """Side of a cell of a trunk's map, in pixels of its scale."""
        return 2 ** len(self.widths)

    @property
    def cells(self) -> int:
        """Side of a window, in cells: that of a patch. Every half window another begins."""
        return max(2, self.patch_px // self.cell_px)


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "fine_mm": 0.8,
        "coarse_mm": 1.6,
        "patch_px": 64,
        "widths": (8, 16, 32),
        "blocks": 1,
        "patches_batch": 16,
        "patches_steps": 150,
        "patches_by": "adamw",
        "steps": 150,
        "lr": 1e-2,
    },
    "base": {"widths": (16, 32, 64, 128, 256)},
    "large": {},
}


class WideTrunk(nn.Module):
    """(N, 1, H, W) to the activated map (N, D, H/s, W/s): a 5x5 stem at stride 2, then pre-activation stages."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = config.widths[0]
        self.stem = nn.Conv2d(1, channels, 5, 2, 2, bias=False)
        blocks = []
        for stage, width in enumerate(config.widths):
            for n in range(config.blocks):
                stride = 2 if stage and n == 0 else 1
                blocks.append(PreActBlock(channels, width, stride, down=stride > 1 or channels != width))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.norm = norm_layer("bn", channels)
        start_from_scratch(self)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.blocks(self.stem(x))))


def window_means(maps: Tensor, cells: int) -> Tensor:
    """(N, D, h, w) means over windows of a trunk's maps; a map smaller than a window is one."""
    return functional.avg_pool2d(maps, (min(cells, maps.shape[2]), min(cells, maps.shape[3])), cells // 2)


class PatchNet(nn.Module):
    """Patches (N, 1, P, P) in [0, 1] to logits (N, 5) of `CLASSES`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk, self.cells = WideTrunk(config), config.cells
        self.dropout = HeldDropout(config.widths[-1], config.dropout)
        self.head = nn.Linear(config.widths[-1], len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.trunk(x).mean((2, 3))))
        return logits

    def windows(self, x: Tensor) -> Tensor:
        """(N, h, w) probability that a window of a whole image shows a lesion; every half window another begins."""
        pooled = window_means(self.trunk(x), self.cells)
        return 1 - self.head(pooled.movedim(1, -1)).float().softmax(-1)[..., 0]


class ScanNet(nn.Module):
    """Images (N, 1, H, W) to the maximum of each feature over all windows (N, D), and from there to [0, z].

    BatchNorm keeps what it learned of patches: a few whole images have no statistics.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk, self.cells = WideTrunk(config), config.cells
        self.dropout = HeldDropout(config.widths[-1], config.dropout)
        self.head = nn.Linear(config.widths[-1], 1)

    def train(self, mode: bool = True) -> "ScanNet":
        super().train(mode)
        for module in self.trunk.modules():
            if is_batch_norm(module):
                module.eval()
        return self

    def windows(self, x: Tensor) -> Tensor:
        """(N, D, h, w): the mean map of every window, as a patch of its size would have it."""
        return window_means(self.trunk(x), self.cells)

    def embed(self, x: Tensor, valid: Tensor) -> Tensor:
        """The maximum over the windows that lie on the image, not on the padding of its batch; valid (N, 1, H, W)."""
        found = self.windows(x)
        inside = functional.adaptive_avg_pool2d(valid.float(), (found.shape[2], found.shape[3])) > 0.5
        return found.masked_fill(~inside, 0.0).amax((2, 3))  # features are activated: 0 is their least

    def logits(self, embedding: Tensor) -> Tensor:
        """(N, D) to (N, 2)."""
        return binary(self.head(self.dropout(embedding))[:, 0])


def scan_loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy of the image."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def patch_forward(scale: Scale) -> Forward:
    """Patches come at their scale."""
    return lambda modules, batch: {"logits": modules[f"patches_{scale}"](batch.x[:, 0])}


def scan_forward(config: Config, scale: Scale) -> Forward:
    """Whole images are brought to the scale."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        network: Any = modules[f"scan_{scale}"]
        embedding = _scanned(network, batch, config, scale)
        return {"logits": network.logits(embedding), "embedding": embedding}

    return forward


def _scanned(network: Any, batch: Batch, config: Config, scale: Scale) -> Tensor:
    embedding: Tensor = network.embed(at_scale(batch.x[:, 0], factor(config, scale)), batch.valid[:, 0])
    return embedding


def reads_of(config: Config, targets: tuple[str, ...], view: TrainView | None = None) -> Reads:
    """Whole images at the fine scale, or a part of them."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={"target_spacing_mm": config.fine_mm, "window": "percentile"},
        augment={
            "flip_y": 0.5,
            "rotation_degrees": 10.0,
            "scale": 0.1,
            "gamma": 0.25,
            "contrast": 0.1,
            "brightness": 0.05,
            "noise": 0.02,
        },
        targets=targets,
        view=view,
    )


def reads(config: Config, aim: Aim) -> Reads:
    """Whole images at the fine scale."""
    return reads_of(config, ("class",))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Patches, then the scan that starts from them, for each scale."""
    return tuple(stage for scale in SCALES for stage in _of_scale(config, scale))


def _of_scale(config: Config, scale: Scale) -> tuple[Stage, Stage]:
    return (
        Stage(
            name=f"patches_{scale}",
            build=lambda: PatchNet(config),
            forward=patch_forward(scale),
            loss=patch_loss(scale),
            reads=reads_of(config, (TARGETS[scale],), patch_view(scale)),
            optimiser=_of_patches(config),
            steps=config.patches_steps,
            epochs=config.patches_epochs,
            batch=config.patches_batch,
            sampler="half_marked",
            head_prefixes=("head.",),
            validate="none",
            pretrains=True,
        ),
        Stage(
            name=f"scan_{scale}",
            build=lambda: ScanNet(config),
            forward=scan_forward(config, scale),
            loss=scan_loss,
            optimiser=Optimiser(lr=config.lr),
            lr_factors={"trunk.": config.trunk_lr_factor},
            starts_from=(Copied(stage=f"patches_{scale}", prefix="trunk.", to="trunk."),),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
            head_prefixes=("head.",),
            # Both scales answer together: the first is watched by its loss, the second by what both say.
            validate="task" if scale == SCALES[-1] else "loss",
        ),
    )


def _of_patches(config: Config) -> Optimiser:
    if config.patches_by == "adamw":
        return Optimiser(lr=config.patches_lr)
    return Optimiser(
        kind="sgd", lr=config.patches_lr, momentum=0.9, weight_decay=1e-4, schedule="step",
        steps_at=(0.6, 0.85), step_factor=0.1,
    )  # fmt: skip


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The mean probability of both scales; values: what each says, and how far they are apart."""
    probabilities, embeddings = [], []
    for scale in SCALES:
        name = f"scan_{scale}"
        network: Any = modules[name]
        embedding = _scanned(network, batch, config, scale).float()
        probabilities.append(over_passes(network, name, inference, _last(network, embedding)).softmax(-1))
        embeddings.append(embedding)
    both = torch.stack(probabilities)  # (2, B, T, C)
    said = both[..., 1].mean(2)
    values = {scale: said[n] for n, scale in enumerate(SCALES)} | {"disagreement": said.std(0, unbiased=False)}
    logits = both.mean(0).clamp(min=1e-12).log()
    said_of = classified(logits, torch.cat(embeddings, 1), inference, values)
    if torch.compiler.is_exporting():  # peaks of a map, as many as there are, cannot stand in a program of tensors
        return said_of
    return [replace(own, where=(where,)) for own, where in zip(said_of, looked_at(modules, batch, config), strict=True)]


def looked_at(modules: Modules, batch: Batch, config: Config) -> list[Where]:
    """Boxes at the peaks of what the patch networks say of the windows of each image."""
    maps = {scale: windows_of(modules, batch, config, scale).cpu() for scale in SCALES}
    found = []
    for n in range(len(batch.ids)):
        boxes, scores, labels = [], [], []
        for scale in SCALES:
            own, probability = peaks(maps[scale][n], cell_px(config, scale), config.cells)
            boxes.append(own)
            scores.append(probability)
            labels.append(torch.full((len(own),), LESIONS.index(TAUGHT[scale])))
        order = torch.cat(scores).argsort(descending=True, stable=True)[:MOST_PEAKS]
        found.append(
            Where(
                names=LESIONS,
                boxes=torch.cat(boxes)[order],
                scores=torch.cat(scores)[order],
                labels=torch.cat(labels)[order],
            )
        )
    return found


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """What the patch networks say of the windows over each pixel (B, 1, H, W): of both scales the higher."""
    rows, cols = batch.x.shape[-2:]
    said = []
    for scale in SCALES:
        cells = torch.stack([over_cells(own, config.cells) for own in windows_of(modules, batch, config, scale)])
        said.append(over_pixels(cells, cell_px(config, scale), rows, cols))
    return torch.stack(said).amax(0)[:, None]


def windows_of(modules: Modules, batch: Batch, config: Config, scale: Scale) -> Tensor:
    """(B, h, w): what a scale's patch network says of every window."""
    network = cast(PatchNet, modules[f"patches_{scale}"])
    return network.windows(at_scale(batch.x[:, 0], factor(config, scale))).float()


def cell_px(config: Config, scale: Scale) -> float:
    """The side of a cell of a scale's trunk, in pixels of the image as it is prepared."""
    return config.cell_px * factor(config, scale)


def peaks(windows: Tensor, cell_px: float, side: int) -> tuple[Tensor, Tensor]:
    """Boxes (M, 4) and probabilities (M,) of the windows (h, w), `side` cells each, that no neighbour exceeds."""
    highest = functional.max_pool2d(windows[None], 3, 1, 1)[0]
    rows, cols = ((windows == highest) & (windows > PEAK)).nonzero(as_tuple=True)
    corners = torch.stack([cols, rows], 1) * (side // 2) * cell_px
    boxes, scores = torch.cat([corners, corners + side * cell_px], 1), windows[rows, cols]
    kept = nms(boxes, scores, PEAK_IOU, limit=MOST_PEAKS)
    return boxes[kept], scores[kept]


def over_cells(windows: Tensor, side: int) -> Tensor:
    """(h, w) of windows, `side` cells each, to the trunk's cells: each has the highest window that it lies in."""
    step = side // 2
    rows, cols = ((count - 1) * step + side for count in windows.shape)
    begun = windows.new_zeros(rows + side - 1, cols + side - 1)
    begun[side - 1 : rows : step, side - 1 : cols : step] = windows
    return functional.max_pool2d(begun[None], side, 1)[0]


def _last(network: Any, embedding: Tensor) -> Callable[[], Tensor]:
    return lambda: network.logits(embedding)


SPEC = MethodSpec(
    name="multiscale_patch",
    seed_row=2,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="reconstruction",
            claim_note="The row says detection and classification of calcifications. The paper is about masses and "
            "calcifications: patch networks begin a network that scans whole images and is trained on their outcome, "
            "with an AUC of 0.92 on DDSM (figure of the paper); where a lesion lies is a by-product.",
        ),
    ),
    findings=LESIONS,
    inputs=Inputs(unit="image"),
    needs=(Need(label="box", min_train=2), Need(label="image_class", min_train=2, min_classes=2)),
    sizes=("tiny", "base", "large"),
    reference="W. Lotter, G. Sorensen, D. Cox, A multi-scale CNN and curriculum learning strategy for mammogram "
    "classification, DLMIA 2017 (arXiv 1707.06978).",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    heat=heat,
)
