"""Lesions by RetinaNet: one network, one pass, boxes with a probability per finding (row 4 of the review).

Source: H. Jung et al., "Detection of masses in mammograms using a one-stage object detector based on a deep
convolutional neural network", PLoS ONE 13(9), 2018, on Lin et al. 2017 (focal loss, feature pyramid).

As there: ResNet-50, FPN P3-P7, two shared subnets, nine anchors a cell, focal loss alpha .25 gamma 2, smooth L1;
the network sees the whole mammogram and 25 overlapping sections of it.

Departures, each a default: any list of findings instead of masses alone (one sigmoid each); the sections are a 5x5
grid of a third of each side (a reconstruction: the paper draws but does not give it); dropout 0.2 before the last
layer of both subnets, for Monte-Carlo passes; GroupNorm in
`base` and `large`, because batches are small and weights start from scratch;
AdamW with warm-up and cosine; candidates are kept from 0.01 and suppressed at IoU 0.3, since lesions rarely overlap;
a mark that no anchor reaches claims its best one. `tiny` reads the whole image at 512 px with anchors of half the
size and no sections, `base` has ResNet-18 and 128-channel pyramids; both are ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from ml.blocks.anchors import NEGATIVE, match, pyramid_anchors
from ml.blocks.boxes import covered, decode, encode, nms
from ml.blocks.fpn import FPN
from ml.blocks.losses import focal, smooth_l1
from ml.blocks.norm import Norm
from ml.blocks.residual import BasicBlock, Bottleneck
from ml.blocks.resnet import ResNet
from ml.blocks.retina_head import RetinaHead
from ml.blocks.sections import inner_edge, resize, section_windows, window_scale
from ml.methods.answering import require_numbers
from ml.methods.reading import IMAGE, whole_images
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    MethodSpec,
    Modules,
    Optimiser,
    Part,
    Prediction,
    Reads,
    Serves,
    Sight,
    Stage,
)
from ml.runs.needs import Need

PRE_NMS = 1000
BOX_LOSS_WEIGHT = 1.0


@dataclass(frozen=True, kw_only=True)
class Config:
    """`long_px`: longest side of what the network sees; with `sections`, `short_px` is the shortest side."""

    target_spacing_mm: float = 0.1
    prepared_long_px: int = 4096
    short_px: int = 800
    long_px: int = 1333
    sections: bool = True
    in_channels: int = 3
    block: Literal["basic", "bottleneck"] = "bottleneck"
    width: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)
    pyramid: int = 256
    anchor_px: tuple[int, ...] = (32, 64, 128, 256, 512)
    norm: Norm = "gn"
    dropout: float = 0.2
    nms_iou: float = 0.3
    batch: int = 4
    steps: int | None = None
    epochs: float = 60
    lr: float = 1e-4
    weight_decay: float = 0.05
    rotation_degrees: float = 10.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.4,
        "prepared_long_px": 512,
        "long_px": 512,
        "sections": False,
        "in_channels": 1,
        "width": 8,
        "depths": (1, 1, 1, 1),
        "pyramid": 32,
        "anchor_px": (16, 32, 64, 128, 256),
        # Batches of four are small for batch norm, but its maps are large: on phantoms it learns twice as fast here.
        "norm": "bn",
        "lr": 1e-3,
        "steps": 400,
    },
    "base": {
        "target_spacing_mm": 0.2,
        "prepared_long_px": 2048,
        "in_channels": 1,
        "block": "basic",
        "depths": (2, 2, 2, 2),
        "pyramid": 128,
    },
    "large": {},
}


class RetinaNet(nn.Module):
    """(B, 1, 1, H, W) in [0, 1] to logits (B, N, K), codes (B, N, 4), anchors (N, 4) and an embedding (B, C)."""

    input_norm = (0.25, 0.25)

    def __init__(self, config: Config, classes: int) -> None:
        super().__init__()
        self.in_channels, self.anchor_px = config.in_channels, config.anchor_px
        block = BasicBlock if config.block == "basic" else Bottleneck
        self.trunk = ResNet(block, config.depths, width=config.width, in_channels=config.in_channels, norm=config.norm)
        c3, c4, c5 = self.trunk.widths[2:]
        self.fpn = FPN(c3, c4, c5, config.pyramid)
        self.head = RetinaHead(classes, config.pyramid, dropout=config.dropout)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """P3..P7 of the images."""
        mean, sd = self.input_norm
        grey = (x[:, 0] - mean) / sd
        _, _, c3, c4, c5 = self.trunk(grey.expand(-1, self.in_channels, -1, -1))
        return self.fpn(c3, c4, c5)

    def anchors(self, levels: Sequence[Tensor]) -> Tensor:
        """The anchors of these maps, in the order of the heads' outputs."""
        shapes = [(level.shape[-2], level.shape[-1]) for level in levels]
        return pyramid_anchors(shapes, self.anchor_px).to(levels[0].device)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        levels = self.pyramid(x)
        logits, codes = self.head(levels)
        embedding = levels[2].mean((2, 3))
        return {"logits": logits, "codes": codes, "anchors": self.anchors(levels), "embedding": embedding}


def centres_inside(anchors: Tensor, valid: Tensor) -> Tensor:
    """(N,) True where an anchor's centre lies on the image, not on the padding of its batch; valid (1, H, W)."""
    rows, cols = valid[0].any(1).sum(), valid[0].any(0).sum()
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    return (centres[:, 0] < cols) & (centres[:, 1] < rows)


def detection_loss(outputs: Mapping[str, Any], batch: Batch) -> dict[str, Tensor]:
    """Focal and smooth L1 losses, per image divided by its positive anchors (at least 1), then averaged.

    Targets: boxes, labels and ignore as lists of (M, 4), (M,) and (G, 4); complete (B,). An image whose findings may
    not all be marked teaches what lesions look like, and nothing about what none looks like.
    """
    anchors, classes = outputs["anchors"], outputs["logits"].shape[-1]
    focal_losses, box_losses = [], []
    for n in range(len(batch.ids)):
        boxes, labels = batch.targets["boxes"][n], batch.targets["labels"][n]
        inside = centres_inside(anchors, batch.valid[n, 0])
        matched = match(anchors, boxes, inside=inside, ignore=batch.targets["ignore"][n])
        positive = matched >= 0
        used = positive | ((matched == NEGATIVE) & batch.targets["complete"][n])
        target = torch.zeros(len(anchors), classes, device=anchors.device)
        target[positive, labels[matched[positive]]] = 1.0
        count = positive.sum().clamp(min=1)
        focal_losses.append((focal(outputs["logits"][n], target) * used[:, None]).sum() / count)
        wanted = encode(boxes[matched[positive]], anchors[positive])
        box_losses.append(smooth_l1(outputs["codes"][n][positive], wanted).sum() / count)
    return {"focal": torch.stack(focal_losses).mean(), "box": torch.stack(box_losses).mean() * BOX_LOSS_WEIGHT}


def reads(config: Config, aim: Aim) -> Reads:
    """Whole images; training sees a section of them half of the time where there are sections."""
    return whole_images(config, "boxes", most_px=config.prepared_long_px, view=train_view)


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """One stage, end to end."""
    return (
        Stage(
            name="main",
            build=lambda: RetinaNet(config, len(aim.labels)),
            loss=detection_loss,
            optimiser=Optimiser(lr=config.lr, weight_decay=config.weight_decay, clip_norm=10.0),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="half_marked",
            head_prefixes=("head.",),
        ),
    )


def train_view(seen: Sight, targets: Mapping[str, Tensor], config: Config, generator: torch.Generator) -> Part:
    """The whole image or, with sections, half of the time one of them.

    A box of which less than half lies in the section becomes an area that teaches nothing.
    """
    if not config.sections:
        return Part((0, 0, *seen.shape), targets)
    windows = section_windows(*seen.shape)
    chosen = windows[0]
    if torch.rand((), generator=generator) < 0.5:
        chosen = windows[1 + int(torch.randint(len(windows) - 1, (), generator=generator))]
    left, top, right, bottom = chosen
    scale = window_scale(chosen, config.short_px, config.long_px)
    frame = torch.tensor([[left, top, right, bottom]], dtype=torch.float32)
    origin = torch.tensor([left, top, left, top], dtype=torch.float32)

    def moved(boxes: Tensor) -> Tensor:
        inside = torch.cat([torch.maximum(boxes[:, :2], frame[:, :2]), torch.minimum(boxes[:, 2:], frame[:, 2:])], 1)
        return (inside - origin) * scale

    share = covered(targets["boxes"], frame)[:, 0] if len(targets["boxes"]) else torch.zeros(0)
    whole, cut = share >= 0.5, (share > 0) & (share < 0.5)
    shown = covered(targets["ignore"], frame)[:, 0] > 0 if len(targets["ignore"]) else torch.zeros(0, dtype=torch.bool)
    ignore = torch.cat([targets["ignore"][shown], targets["boxes"][cut]])
    moved_targets = {
        **targets,
        "boxes": moved(targets["boxes"][whole]),
        "labels": targets["labels"][whole],
        "ignore": moved(ignore),
    }
    return Part((top, left, bottom - top, right - left), moved_targets, lambda x: resize(x, scale))


@dataclass
class _Candidates:
    """Of one image, over all windows: boxes (N, 4), mean probabilities (N, K), samples (T, N, K)."""

    boxes: Tensor
    probabilities: Tensor
    samples: Tensor


def _candidates(network: RetinaNet, x: Tensor, valid: Tensor, inference: Inference) -> tuple[list[_Candidates], Tensor]:
    """The subnets' towers run once; only their last layers are repeated over the passes.

    Boxes come from the mean of the passes. A mask keeps or drops whole channels before a linear layer, so the mean of
    the codes over the passes is the layer at the mean mask.
    """
    levels = network.pyramid(x)
    anchors = network.anchors(levels)
    classes, boxes = network.head.classes, network.head.boxes
    towers = [classes.tower(level) for level in levels]
    box_maps = [boxes.tower(level) for level in levels]
    if inference.passes:
        masks = inference.masks["main"]
        kept, box_kept = masks["head.classes.dropout"], masks["head.boxes.dropout"].mean(0)
        samples = torch.stack(
            [torch.cat([classes.flat(classes.last(m * _column(kept[t], m))) for m in towers], 1).float().sigmoid()
             for t in range(inference.passes)]
        )  # fmt: skip
        codes = torch.cat([boxes.flat(boxes.last(m * _column(box_kept, m))) for m in box_maps], 1).float()
    else:
        samples = torch.cat([classes.flat(classes.last(m)) for m in towers], 1).float().sigmoid()[None]
        codes = torch.cat([boxes.flat(boxes.last(m)) for m in box_maps], 1).float()
    found = []
    for n in range(len(x)):
        inside = centres_inside(anchors, valid[n, 0])
        mean = samples[:, n, inside].mean(0)
        # The best of each finding: where one is far likelier than another, the other's must still be looked at.
        per_finding = [mean[:, k].topk(min(len(mean), PRE_NMS)).indices for k in range(mean.shape[1])]
        best = torch.unique(torch.cat(per_finding))
        rows, cols = int(valid[n, 0, 0].any(1).sum()), int(valid[n, 0, 0].any(0).sum())
        limits = torch.tensor([cols, rows, cols, rows], device=x.device)
        decoded = decode(codes[n, inside][best], anchors[inside][best]).clamp(min=0).minimum(limits)
        found.append(_Candidates(decoded.cpu(), mean[best].cpu(), samples[:, n, inside][:, best].cpu()))
    return found, levels[2].mean((2, 3)).float().cpu()


def _column(mask: Tensor, like: Tensor) -> Tensor:
    return mask.to(like).reshape(1, -1, 1, 1)


def _settle(found: _Candidates, config: Config, inference: Inference, embedding: Tensor) -> Prediction:
    """Suppression within each finding, then the best over all. Raises NotAScore."""
    require_numbers(found.probabilities, found.boxes)
    picked, labels = [], []
    for k in range(found.probabilities.shape[1]):
        scores = found.probabilities[:, k]
        eligible = (scores >= inference.min_score).nonzero()[:, 0]
        limit = inference.per_finding or inference.max_boxes
        keep = eligible[nms(found.boxes[eligible], scores[eligible], config.nms_iou, limit=limit)]
        picked.append(keep)
        labels.append(torch.full((len(keep),), k))
    index, label = torch.cat(picked), torch.cat(labels)
    scores = found.probabilities[index, label]
    order = torch.argsort(scores, descending=True, stable=True)
    if inference.per_finding is None:
        order = order[: inference.max_boxes]
    index, label = index[order], label[order]
    return Prediction(
        boxes=found.boxes[index],
        scores=scores[order],
        labels=label,
        samples=found.samples[:, index, label] if inference.passes else None,
        embedding=embedding,
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Boxes in pixels of the prepared image."""
    network = cast(RetinaNet, modules["main"])
    return detected(network, batch.x, batch.valid, config, inference)


def detected(network: RetinaNet, x: Tensor, valid: Tensor, config: Config, inference: Inference) -> list[Prediction]:
    """Boxes of each image (N, 1, 1, H, W), looked at whole or with its sections; valid as x."""
    if not config.sections:
        found, embeddings = _candidates(network, x, valid, inference)
        return [_settle(f, config, inference, e) for f, e in zip(found, embeddings, strict=True)]

    def find(crop: Tensor) -> tuple[_Candidates, Tensor]:
        found, vectors = _candidates(network, crop, torch.ones_like(crop, dtype=torch.bool), inference)
        return found[0], vectors[0]

    return [over_sections(find, x[n], valid[n, 0], config, inference) for n in range(len(x))]


def propose(network: RetinaNet, x: Tensor, config: Config, count: int) -> list[Tensor]:
    """Up to `count` best boxes (M, 4) of each image, whatever their score; x (N, 1, H, W).

    For methods that look again at what a detector proposes.
    """
    aim = Aim(task="lesion_detection", labels=("lesion",), target="boxes")
    inference = Inference(aim=aim, min_score=0.0, max_boxes=count)
    found = detected(network, x[:, None], torch.ones_like(x[:, None], dtype=torch.bool), config, inference)
    return [own.boxes for own in found if own.boxes is not None]


def over_sections(
    find: Callable[[Tensor], tuple[_Candidates, Tensor]], x: Tensor, valid: Tensor, config: Config, inference: Inference
) -> Prediction:
    """The whole image and its sections; boxes that touch an inner edge of a section are left to its neighbour.

    find(crop (1, 1, 1, h, w)) gives the candidates of a window in its pixels; x (1, 1, H, W), valid (1, H, W).
    """
    rows, cols = int(valid[0].any(1).sum()), int(valid[0].any(0).sum())
    parts, embedding = [], None
    for window in section_windows(rows, cols):
        left, top, right, bottom = window
        scale = window_scale(window, config.short_px, config.long_px)
        found, vector = find(resize(x[0, :, top:bottom, left:right], scale)[None, None])
        embedding = vector if embedding is None else embedding
        boxes = found.boxes / scale + torch.tensor([left, top, left, top])
        keep = ~inner_edge(boxes, window, rows, cols)
        parts.append(_Candidates(boxes[keep], found.probabilities[keep], found.samples[:, keep]))
    merged = _Candidates(
        torch.cat([p.boxes for p in parts]),
        torch.cat([p.probabilities for p in parts]),
        torch.cat([p.samples for p in parts], 1),
    )
    assert embedding is not None
    return _settle(merged, config, inference, embedding)


SPEC = MethodSpec(
    name="retinanet_mass",
    seed_row=4,
    serves=(
        Serves(
            task="lesion_detection",
            fidelity="paper",
            claim_note="The paper detects masses only, on INbreast and an in-house set; it gives no benign or "
            "malignant class. Sections are a reconstruction, findings beside masses are ours.",
        ),
    ),
    findings=("mass", "calcification", "asymmetry", "architectural_distortion"),
    inputs=IMAGE,
    needs=(Need(label="box", min_train=2),),
    sizes=("tiny", "base", "large"),
    reference="H. Jung et al., Detection of masses in mammograms using a one-stage object detector based on a deep "
    "convolutional neural network, PLoS ONE 13(9), 2018.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
