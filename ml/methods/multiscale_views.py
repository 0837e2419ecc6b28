"""The patches that `multiscale_patch` learns from: where they are cut, and what they may be. Source: see that file."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ml.methods.spec import Batch, Loss, Outputs, Part, Sight, TrainView, Window

Scale = Literal["fine", "coarse"]
LESIONS = ("mass", "calcification")
SCALES: tuple[Scale, ...] = ("fine", "coarse")
TAUGHT: Mapping[Scale, str] = {"fine": "calcification", "coarse": "mass"}
"""The finding that a scale's patches are about; the other one is background to it."""
TARGETS: Mapping[Scale, str] = {"fine": "calcifications", "coarse": "masses"}
"""The target by which half of the patches are drawn around that finding."""
CLASSES = ("background", "calcification:benign", "calcification:malignant", "mass:benign", "mass:malignant")
JITTER = 0.25
TRIES = 20


class Scaled(Protocol):
    """What a config says of the scales and of patches."""

    @property
    def fine_mm(self) -> float: ...

    @property
    def coarse_mm(self) -> float: ...

    @property
    def patch_px(self) -> int: ...


def factor(config: Scaled, scale: Scale) -> float:
    """Fine pixels for one of the scale, along a side."""
    return 1.0 if scale == "fine" else config.coarse_mm / config.fine_mm


def at_scale(x: Tensor, shrink: float) -> Tensor:
    """(N, 1, H, W) by the mean of the pixels that fall together."""
    if shrink == 1.0:
        return x
    rows, cols = (max(1, round(side / shrink)) for side in x.shape[-2:])
    return functional.adaptive_avg_pool2d(x, (rows, cols))


def patch_view(scale: Scale) -> TrainView:
    """Around a lesion of the scale's finding where the image has one, else somewhere in the breast."""

    def view(seen: Sight, targets: Mapping[str, Tensor], config: Any, generator: torch.Generator) -> Part:
        shrink = factor(config, scale)
        side = round(config.patch_px * shrink)
        own = targets["types"] == LESIONS.index(TAUGHT[scale])
        boxes = targets["boxes"][own]
        chosen = int(torch.randint(max(1, len(boxes)), (), generator=generator))
        if len(boxes):
            centre = _beside(boxes[chosen], side, generator)
            kept = own.nonzero()[chosen]
        else:
            centre, kept = _in_breast(seen, generator), own.nonzero()[:0, 0]
        quarter = int(torch.randint(4, (), generator=generator))
        listed = {name: targets[name][kept] for name in ("boxes", "labels", "types", "malignant")}

        def made(cut: Tensor) -> Tensor:
            return torch.rot90(at_scale(cut[None], shrink)[0], quarter, (1, 2))

        return Part(_window(seen.shape, centre, side), {**targets, **listed}, made)

    return view


def _beside(box: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A centre (x, y) near a box's, so near that at least half of the box is inside the patch."""
    middle, reach = (box[:2] + box[2:]) / 2, torch.full((2,), JITTER * side)
    # A box moves out of a patch by what its side lacks: sqrt(1/2) of each side stays, half of the area.
    free = ((side - (2**0.5 - 1) * (box[2:] - box[:2])) / 2).clamp(min=0)
    moved = torch.minimum(reach, free)
    return middle + (2 * torch.rand(2, generator=generator) - 1) * moved


def _in_breast(seen: Sight, generator: torch.Generator) -> Tensor:
    """A place (x, y) of the breast; air is black."""
    rows, cols = seen.shape
    for _ in range(TRIES):
        row = int(torch.randint(rows, (), generator=generator))
        col = int(torch.randint(cols, (), generator=generator))
        if seen.shows(row, col):
            break
    return torch.tensor([col + 0.5, row + 0.5])


def _window(shape: tuple[int, int], centre: Tensor, side: int) -> Window:
    """A square around a place of an image, air where the image ends."""
    left, top = (round(float(place) - side / 2) for place in centre)
    return min(max(top, -side), shape[0]), min(max(left, -side), shape[1]), side, side


def allowed(batch: Batch, scale: Scale) -> Tensor:
    """(B, 5) bool: the classes that a sample may be; both pathologies of its finding where nobody knows which."""
    found = torch.zeros(len(batch.ids), len(CLASSES), dtype=torch.bool)
    first = CLASSES.index(f"{TAUGHT[scale]}:benign")
    for n, (types, malignant) in enumerate(zip(batch.targets["types"], batch.targets["malignant"], strict=True)):
        own = malignant[types == LESIONS.index(TAUGHT[scale])]
        if not len(own):
            found[n, 0] = True
        elif int(own.max()) < 0:
            found[n, first : first + 2] = True
        else:
            found[n, first + int(own.max())] = True
    return found.to(batch.x.device)


def patch_loss(scale: Scale) -> Loss:
    """Cross-entropy over the classes that a patch may be; hard backgrounds count twice."""

    def loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        logits = outputs["logits"].float()
        may = allowed(batch, scale)
        losses = torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~may, -1e4), 1)
        background = may[:, 0]
        doubt = losses.detach()[background]
        hard = torch.zeros_like(background)
        hard[background] = doubt >= doubt.median() if len(doubt) > 1 else torch.zeros_like(doubt, dtype=torch.bool)
        weight = 1.0 + hard.float()
        return {"cross_entropy": (losses * weight).sum() / weight.sum()}

    return loss
