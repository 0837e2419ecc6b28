"""The steps of `dbn_forest`: belief nets that propose, CNNs and forests that throw out. Source: see that file.

Everything here works on one image of a batch at a time, for the number of candidates differs from image to image.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.blocks.boxes import iou
from ml.blocks.patch_dbn import PatchDBN
from ml.blocks.rbm import RBM
from ml.blocks.roi_align import roi_align
from ml.methods.dbn_parts import FEATURES, Config, CropNet, Learned
from ml.methods.spec import (
    Batch,
    Lesson,
    Modules,
    Outputs,
)
from ml.pixels.candidate_features import NAMES, candidate_features
from ml.pixels.components import components

HIT_IOU = 0.2
THRESHOLDS = (0.3, 0.5, 0.7)
MARKS = 4
"""Marks of an image that are shown to the cascades beside what was proposed."""
KEPT = ("candidates", "candidate_count", "candidate_features", "candidate_true")
"""What is kept of the candidates of training images."""


# -- belief nets ------------------------------------------------------------------------------------------------------
def random_pixels(wanted: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`count` random pixels (rows, cols) of a mask (H, W); none where it is empty."""
    rows, cols = torch.nonzero(wanted, as_tuple=True)
    if not len(rows):
        return rows, cols
    chosen = torch.randint(len(rows), (count,)).to(rows.device)
    return rows[chosen], cols[chosen]


def contrast(config: Config, layer: int, stage: str) -> Any:
    """forward of an RBM stage: the free energy of patches of the breast less that of their reconstructions.

    Its gradient is that of CD-1: with the reconstruction held, d(F(v0) - F(v1)) = -(v0^T p0 - v1^T p1) / B.
    """

    def forward(modules: Modules, batch: Batch) -> Outputs:
        net: Any = modules[stage]
        losses = []
        images, inside = net.pyramid(batch.x[:, 0, 0]), net.pyramid(batch.breast[:, 0, 0].float())
        for level, network in enumerate(net.levels):
            assert isinstance(network, PatchDBN)
            places = [random_pixels(own > 0.5, config.patches) for own in inside[level]]
            v = torch.cat([network.patches(own, *at) for own, at in zip(images[level], places, strict=True)])
            rbm = network.dbn.rbms[layer]
            assert isinstance(rbm, RBM)
            v0 = network.dbn.below(v, layer)
            with torch.no_grad():
                hidden = torch.bernoulli(rbm(v0).float()).to(v0)
                v1 = rbm.visible(hidden)
            losses.append((rbm.free_energy(v0) - rbm.free_energy(v1)).mean())
        return {"free_energy": torch.stack(losses).mean() * len(net.levels)}

    return forward


def box_mask(boxes: Tensor, rows: int, cols: int) -> Tensor:
    """(rows, cols) True inside any box."""
    y, x = torch.arange(rows, device=boxes.device) + 0.5, torch.arange(cols, device=boxes.device) + 0.5
    inside = torch.zeros(rows, cols, dtype=torch.bool, device=boxes.device)
    for x0, y0, x1, y1 in boxes:
        inside |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))[None]
    return inside


def pixel_labels(config: Config) -> Any:
    """forward of the fine-tuning: logits and labels of patches, as many of masses as of other tissue."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        net = Learned(modules).belief
        images, inside = net.pyramid(batch.x[:, 0, 0]), net.pyramid(batch.breast[:, 0, 0].float())
        logits, labels = [], []
        for level, network in enumerate(net.levels):
            assert isinstance(network, PatchDBN)
            for n, image in enumerate(images[level]):
                mass = box_mask(batch.targets["boxes"][n] / 2**level, *image.shape)
                for label, wanted in ((1, mass), (0, (inside[level][n] > 0.5) & ~mass)):
                    if label or bool(batch.targets["complete"][n]):
                        rows, cols = random_pixels(wanted, config.patches // 4)
                        logits.append(network(network.patches(image, rows, cols)))
                        labels.append(torch.full((len(rows),), label, device=image.device))
        return {"logits": torch.cat(logits), "labels": torch.cat(labels)}

    return forward


def pixel_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy in which masses weigh as much as tissue, whatever the batch holds."""
    each = functional.cross_entropy(outputs["logits"].float(), outputs["labels"], reduction="none")
    halves = [each[outputs["labels"] == label] for label in (0, 1)]
    return {"cross_entropy": torch.stack([own.mean() for own in halves if len(own)]).mean()}


def learn_gates(config: Config, lesson: Lesson) -> None:
    """For each level but the coarsest: what the coarser one must say, so that it keeps 99 % of the pixels of masses."""
    learned = Learned(lesson.modules)
    net = learned.belief
    said: list[list[Tensor]] = [[] for _ in range(config.levels)]
    for batch in lesson.batches("train", size=4):
        for n in range(len(batch.ids)):
            maps, _ = net.maps(batch.x[n, 0, 0], batch.breast[n, 0, 0], [-1.0] * config.levels)
            for level, own in enumerate(maps):
                mass = box_mask(batch.targets["boxes"][n] / 2**level, *own.shape)
                said[level].append(own[mass].cpu())
    gates = learned.gates
    for level in range(config.levels - 1):
        found = torch.cat(said[level + 1])
        gates[level] = torch.quantile(found[:100_000], 1 - config.gate_kept) if len(found) else 0.0


# -- candidates -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """Candidates of one image: boxes (M, 4), what the belief nets say (M, 2), their pixels (M masks)."""

    boxes: Tensor
    belief: Tensor
    parts: tuple[np.ndarray, ...]


def candidates(config: Config, modules: Modules, batch: Batch, n: int) -> Found:
    """The connected parts of the finest map over several thresholds, those with the highest peak."""
    learned = Learned(modules)
    maps, _ = learned.belief.maps(batch.x[n, 0, 0], batch.breast[n, 0, 0], [*learned.gates.tolist(), 0.0])
    fine = maps[0].float().cpu().numpy()
    found = []
    for threshold in THRESHOLDS:
        parts = components(fine, threshold, min_area_px=4.0)
        found += [(float(fine[part].max()), score, box, part)
                  for box, score, part in zip(parts.boxes, parts.scores, parts.parts, strict=True)]  # fmt: skip
    found.sort(key=lambda item: (-item[0], -item[1]))
    found = found[: config.candidates]
    boxes = torch.from_numpy(np.array([box for _, _, box, _ in found], np.float32).reshape(-1, 4)).to(batch.x.device)
    belief = torch.tensor([[peak, float(score)] for peak, score, _, _ in found]).reshape(-1, 2)
    return Found(boxes, belief, tuple(part for *_, part in found))


def crops_of(config: Config, image: Tensor, boxes: Tensor) -> Tensor:
    """(M, 1, 40, 40) of boxes (M, 4) grown by the margin; image (H, W)."""
    half = (boxes[:, 2:] - boxes[:, :2]) * config.margin / 2
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    grown = torch.cat([centre - half, centre + half], 1)
    zero = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
    return roi_align(image[None, None], grown, zero, size=(config.crop_px, config.crop_px), samples=1)


def shown(boxes: Tensor, marks: Tensor) -> tuple[Tensor, Tensor]:
    """What a cascade learns from in an image: candidates, then true boxes (M, 4), and which of all are true (M,)."""
    hit = iou(boxes, marks).amax(1) >= HIT_IOU if len(marks) and len(boxes) else None
    labels = torch.zeros(len(boxes), device=marks.device) if hit is None else hit.float()
    return torch.cat([boxes, marks]), torch.cat([labels, torch.ones(len(marks), device=marks.device)])


def shown_in(config: Config, modules: Modules, batch: Batch, n: int) -> tuple[Tensor, Tensor]:
    """`shown` of an image of a batch: its candidates are recalled where the batch has them."""
    if "candidates" in batch.targets:
        boxes = batch.targets["candidates"][n][: int(batch.targets["candidate_count"][n])]
    else:
        boxes = candidates(config, modules, batch, n).boxes
    return shown(boxes, batch.targets["boxes"][n][:MARKS])


def learn_candidates(config: Config, lesson: Lesson) -> None:
    """Look for the candidates of each training image once: nothing that finds them learns any more.

    They are those of the image as it is, which are what the cascade will be asked about; crops of them are varied with
    the image, whose variation moves no pixel. Kept: boxes (N, K, 4) with their number (N,), and of candidates and marks
    (N, K + 4) the features of the forests and whether they are true, -1 where there are fewer.
    """
    kept: dict[str, list[Tensor]] = {name: [] for name in ("index", *KEPT)}
    for batch in lesson.batches("train", size=4):
        kept["index"].append(torch.tensor([int(place) for place in lesson.places(batch.ids)]))
        for n in range(len(batch.ids)):
            found, marks = candidates(config, lesson.modules, batch, n), batch.targets["boxes"][n][:MARKS]
            _, true = shown(found.boxes, marks)
            hand = hand_made(config, batch.x[n, 0, 0], found, marks)
            more = config.candidates + MARKS - len(true)
            rows = (
                functional.pad(found.boxes.float().cpu(), (0, 0, 0, config.candidates - len(found.boxes))),
                torch.tensor(len(found.boxes)),
                functional.pad(hand, (0, 0, 0, more)),
                functional.pad(true.cpu(), (0, more), value=-1.0),
            )
            for name, row in zip(KEPT, rows, strict=True):
                kept[name].append(row[None])
    lesson.keep("found", {name: torch.cat(own) for name, own in kept.items()})


def cascade(config: Config, level: int, stage: str) -> Any:
    """forward of a CNN of the cascade: logits and labels of what the steps before it let through."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        network: Any = modules[stage]
        learned, crops, labels = Learned(modules), [], []
        with torch.no_grad():
            for n in range(len(batch.ids)):
                boxes, true = shown_in(config, modules, batch, n)
                own = crops_of(config, batch.x[n, 0, 0], boxes)
                keep = true > 0 if level else torch.ones_like(true, dtype=torch.bool)
                if level:
                    keep |= said_by(learned.cnn(1), own) >= learned.least(1)
                usable = keep & ((true > 0) | batch.targets["complete"][n])
                crops.append(own[usable])
                labels.append(true[usable])
        stacked = torch.cat(crops)
        if len(stacked) < 2:  # a batch norm of one crop has no variance
            return {"logits": network.head(network.features[0].weight.new_zeros(1, FEATURES))[:, 0] * 0.0,
                    "labels": stacked.new_zeros(1)}  # fmt: skip
        return {"logits": network.head(network.embed(stacked))[:, 0], "labels": torch.cat(labels)}

    return forward


def said_by(network: CropNet, crops: Tensor) -> Tensor:
    """(M,) probability of a CNN at rest."""
    network.eval()
    return torch.sigmoid(network.head(network.embed(crops))[:, 0].float()) if len(crops) else crops.new_zeros(0)


def cascade_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Binary cross-entropy in which true boxes weigh as much as the others."""
    labels = outputs["labels"]
    positive = labels.sum().clamp(min=1.0)
    weight = ((len(labels) - positive) / positive).clamp(min=0.1, max=20.0)
    return {"bce": functional.binary_cross_entropy_with_logits(outputs["logits"].float(), labels, pos_weight=weight)}


def learn_kept(config: Config, level: int, lesson: Lesson) -> None:
    """The probability that keeps 98 % of the true boxes, each judged by a CNN that did not see its patient.

    Of what it learned a CNN is sure: a threshold from there lets nothing through that is new.
    """
    kept, said = lesson.artefact("candidates:found"), lesson.artefact(f"cascade_{level}:out_of_fold")
    # The CNNs spoke of images that teach nothing, too; no candidates are kept of those.
    said_of = {int(i): n for n, i in enumerate(said["index"])}
    both = [(n, said_of[int(i)]) for n, i in enumerate(kept["index"]) if int(i) in said_of]
    rows, spoke = torch.tensor(both, dtype=torch.long).reshape(-1, 2).unbind(1)
    found = spoken(said["values"][spoke])[..., FEATURES][kept["candidate_true"][rows] > 0]
    Learned(lesson.modules).least(level)[0] = torch.quantile(found, 1 - config.kept) if len(found) else 0.0


def speak(config: Config, stage: str) -> Any:
    """What a CNN says of the boxes that an image shows in training: (B, N * 129), features and score, or zeros."""

    def say(modules: Modules, batch: Batch) -> Tensor:
        network: Any = modules[stage]
        network.eval()
        rows = torch.zeros(len(batch.ids), config.candidates + MARKS, FEATURES + 1)
        for n in range(len(batch.ids)):
            boxes, _ = shown_in(config, modules, batch, n)
            if len(boxes):
                features = network.embed(crops_of(config, batch.x[n, 0, 0], boxes))
                score = torch.sigmoid(network.head(features).float())
                rows[n, : len(boxes)] = torch.cat([features.float(), score], 1).cpu()
        return rows.flatten(1)

    return say


def spoken(values: Tensor) -> Tensor:
    """Rows (..., N * 129) as (..., N, 129): of each box the features, and last its score."""
    return values.unflatten(-1, (-1, FEATURES + 1))


# -- forests ----------------------------------------------------------------------------------------------------------
def hand_made(config: Config, image: Tensor, found: Found, marks: Tensor) -> Tensor:
    """(M, 2 + 74) of the candidates, then of the true boxes as full rectangles, of which the nets say nothing."""
    pixels = image.float().cpu().numpy()
    crops = [own[0].float().cpu().numpy() for own in crops_of(config, image, torch.cat([found.boxes.to(marks), marks]))]
    parts = zip(found.parts, crops, strict=False)
    rows = [torch.from_numpy(candidate_features(pixels, part, crop)) for part, crop in parts]
    belief = [found.belief.double()]
    for box, crop in zip(marks.cpu(), crops[len(found.parts) :], strict=True):
        part = box_mask(box[None], *image.shape).numpy()
        empty = torch.zeros(len(NAMES)).double()
        rows.append(torch.from_numpy(candidate_features(pixels, part, crop)) if part.any() else empty)
        belief.append(torch.full((1, 2), 0.5).double())
    hand = torch.stack(rows) if rows else torch.zeros(0, len(NAMES)).double()
    return torch.cat([torch.cat(belief), hand], 1)


def learn_forest(config: Config, level: int, lesson: Lesson) -> None:
    """Fit on candidates of training images with the CNNs' out-of-fold features; the first keeps 98 % of the true."""
    kept = lesson.artefact("candidates:found")
    values = [lesson.artefact(f"cascade_{k}:out_of_fold") for k in (1, 2)]
    where_kept, *place = ({int(i): n for n, i in enumerate(own["index"])} for own in (kept, *values))
    x, y = [], []
    for batch in lesson.batches("train", size=4):
        index = lesson.places(batch.ids)
        for n in range(len(batch.ids)):
            if int(index[n]) not in place[0]:
                continue
            row = where_kept[int(index[n])]
            true = kept["candidate_true"][row]
            there = int((true >= 0).sum())
            deep = [spoken(own["values"][where[int(index[n])]])[:there, :FEATURES].double()
                    for own, where in zip(values, place, strict=True)]  # fmt: skip
            usable = (true[:there] > 0) | bool(batch.targets["complete"][n])
            x.append(torch.cat([*deep, kept["candidate_features"][row, :there]], 1)[usable])
            y.append(true[:there][usable].long())
    rows, labels = torch.cat(x), torch.cat(y)
    learned = Learned(lesson.modules)
    step = learned.forest(level)
    keep = torch.ones(len(rows), dtype=torch.bool)
    if level == 2:
        first = learned.forest(1)
        keep = first.passes(rows) | (labels == 1)
        if bool(labels[keep].all()):  # the first forest let nothing false through: there is no one to learn against
            keep[:] = True
    step.est.fit(rows[keep].numpy(), labels[keep].numpy(), seed=lesson.seed)
    if level == 2:
        return
    # By the trees that did not see a candidate: of those that they saw, trees are sure.
    assert step.est.out_of_bag is not None
    true = step.est.out_of_bag[labels[keep] == 1, 1]
    step.least[0] = torch.quantile(true, 1 - config.kept).float()


def survivors(config: Config, modules: Modules, batch: Batch, n: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Boxes (M, 4) of an image that are left after each step, features of the last and the trees' probabilities (T, M).

    The steps are: belief nets, first and second CNN, first forest.
    """
    found, learned = candidates(config, modules, batch, n), Learned(modules)
    image, boxes, deep = batch.x[n, 0, 0], found.boxes.cpu(), []
    keep, left = torch.arange(len(boxes)), [boxes]
    crops = crops_of(config, image, found.boxes)
    for level in (1, 2):
        network = learned.cnn(level)
        deep.append(network.embed(crops).double().cpu() if len(crops) else torch.zeros(0, FEATURES).double())
        said = said_by(network, crops).cpu()
        keep = keep[said[keep] >= learned.least(level).cpu()]
        left.append(boxes[keep])
    kept = Found(boxes[keep], found.belief[keep], tuple(found.parts[int(k)] for k in keep))
    rows = torch.cat([*(own[keep] for own in deep), hand_made(config, image, kept, torch.zeros(0, 4))], 1)
    first, second = learned.forest(1), learned.forest(2)
    passed = first.passes(rows) if len(rows) else torch.zeros(0, dtype=torch.bool)
    left.append(kept.boxes[passed])
    rows = rows[passed]
    members = second.members(rows) if len(rows) else torch.zeros(config.trees, 0).double()
    return left, rows, members
