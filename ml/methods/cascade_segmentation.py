"""Lesions outlined by a cascade of U-Nets: a coarse map guides the next finer network (row 7 of the review).

Source: Y. Yan et al., "Cascaded multi-scale convolutional encoder-decoders for breast mass segmentation in
high-resolution mammograms", EMBC 2019.

From the paper: encoder-decoders over a pyramid of resolutions, each fed with the image and the posterior of the
coarser one (auto-context), no detection before.

Reconstructed: U-Nets of width 32 with batch norm; the levels (512, 1024 and 2048 pixels of the long side); finer levels
learn on crops of 512, of which seven in ten lie on a mark or on what the coarser level takes for one; coarser levels
are frozen, speak with dropout on, and their parts are erased or invented at random (each 0.1), so that a finer level
cannot copy them; binary cross-entropy plus soft Dice, AdamW 1e-3. The paper's encoders came from a VGG-16; ours begin
from scratch. Dropout 0.2 at each bottleneck is for Monte-Carlo passes. Detection is adapted: the connected parts of the
last map, of one type of finding, are the boxes. `base` and `tiny` have two levels and are ours.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.dropout import held, pass_masks
from ml.blocks.losses import segmentation_loss, soft_dice
from ml.blocks.unet import UNet
from ml.methods.answering import boxes_of_map, require_outlines
from ml.methods.reading import IMAGE, whole_images
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
from ml.pixels.tiles import starts
from ml.runs.needs import Need

NEAR = 0.05
"""Coarse probability from which a place is looked at more closely."""
ON_MARKS = 0.7
BLOB_SHARE = (0.02, 0.08)
"""Radius of an invented part, as a share of the long side."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`finest_px`: long side of the last level; each of `levels` before it has half of the next one's."""

    target_spacing_mm: float = 0.05
    finest_px: int = 2048
    levels: int = 3
    width: int = 32
    depth: int = 4
    crop_px: int = 512
    overlap: float = 0.25
    dropout: float = 0.2
    erase_probability: float = 0.1
    invent_probability: float = 0.1
    batch: int = 4
    steps: int | None = None
    epochs: float = 60
    coarse_steps: int | None = None
    lr: float = 1e-3
    rotation_degrees: float = 15.0


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {"finest_px": 128, "levels": 2, "width": 8, "depth": 3, "crop_px": 64, "steps": 250, "coarse_steps": 250},
    "base": {"finest_px": 1024, "levels": 2},
    "large": {},
}


def at_level(x: Tensor, level: int, config: Config) -> Tensor:
    """(N, 1, H, W) of the finest level at another one: means of 2^k by 2^k pixels."""
    step = 2 ** (config.levels - 1 - level)
    return functional.avg_pool2d(x.float(), step) if step > 1 else x.float()


def guide_of(posterior: Tensor) -> Tensor:
    """A posterior (N, 1, H, W) at the next level, (N, 1, 2H, 2W)."""
    return functional.interpolate(posterior, scale_factor=2, mode="bilinear", align_corners=False)


def blending(rows: int, cols: int) -> Tensor:
    """(rows, cols) Gaussian weights, highest in the middle of a crop."""
    lines = [torch.exp(-(((torch.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * 0.25**2)) for n in (rows, cols)]
    return lines[0][:, None] * lines[1][None]


def places(guide: Tensor, config: Config) -> list[tuple[int, int]]:
    """Corners (y, x) of the crops of one guide (H, W) that come near a lesion; of all crops where none does."""
    rows, cols = guide.shape
    overlap = int(config.overlap * config.crop_px)
    margin = config.crop_px // 16
    close = functional.max_pool2d((guide > NEAR).float()[None], 2 * margin + 1, 1, margin)[0]
    grid = [(y, x) for y in starts(rows, config.crop_px, overlap) for x in starts(cols, config.crop_px, overlap)]
    found = [(y, x) for y, x in grid if close[y : y + config.crop_px, x : x + config.crop_px].any()]
    return found or grid


def refined(network: Any, x: Tensor, guide: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Posterior (H, W) and summary (C,) of one image x (1, H, W) by crops; where no crop was, the guide stays.

    The summary is the mean of the bottleneck weighted by the posterior.
    """
    rows, cols = min(config.crop_px, x.shape[-2]), min(config.crop_px, x.shape[-1])
    total, weight = torch.zeros_like(guide[0]), torch.zeros_like(guide[0])
    window = blending(rows, cols).to(x)
    summary, mass = torch.zeros(network.widths[-1], device=x.device), torch.zeros((), device=x.device)
    for top, left in places(guide[0], config):
        place = (slice(top, top + rows), slice(left, left + cols))
        maps = network.encode(x[:, *place][None], guide[:, *place][None])
        p = network.out(network.decode(maps))[0, 0, :rows, :cols].float().sigmoid()
        total[place] += window * p
        weight[place] += window
        own, share = _weighted(maps[-1], p[None, None])
        summary, mass = summary + own[0], mass + share[0]
    posterior = torch.where(weight > 0, total / weight.clamp(min=1e-6), guide[0])
    return posterior, summary / mass


def _weighted(deep: Tensor, posterior: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (N, C) of a bottleneck weighted by a posterior, and of the weights (N,)."""
    weight = functional.adaptive_avg_pool2d(posterior, (deep.shape[-2], deep.shape[-1])) + 1e-3
    return (deep.float() * weight).sum((2, 3)), weight.sum((1, 2, 3))


def posteriors(modules: Modules, x: Tensor, upto: int, config: Config) -> tuple[list[Tensor], Tensor]:
    """Maps (N, 1, h, w) of the levels 0..upto, each in its own pixels, and the summary of the last, (N, C)."""
    network: Any = modules["level_0"]
    coarse = at_level(x, 0, config)
    deep = network.encode(coarse)
    rows, cols = coarse.shape[-2:]
    found = [network.out(network.decode(deep))[..., :rows, :cols].float().sigmoid()]
    total, weight = _weighted(deep[-1], found[0])
    summary = total / weight[:, None]
    for level in range(1, upto + 1):
        pictures, guides = at_level(x, level, config), guide_of(found[-1])
        own = [refined(modules[f"level_{level}"], p, g, config) for p, g in zip(pictures, guides, strict=True)]
        found.append(torch.stack([posterior for posterior, _ in own])[:, None])
        summary = torch.stack([vector for _, vector in own])
    return found, summary


def corrupted(posterior: Tensor, config: Config) -> Tensor:
    """Whole parts erased and false ones added, each by chance; posterior (N, 1, H, W)."""
    made = posterior.clone()
    rows, cols = made.shape[-2:]
    y, x = torch.arange(rows, device=made.device)[:, None] + 0.5, torch.arange(cols, device=made.device)[None] + 0.5
    for n in range(len(made)):
        labels, count = ndimage.label(made[n, 0].cpu().numpy() > NEAR)
        # An unlearned map has thousands of parts: they are erased at once, not one by one.
        erased = torch.cat([torch.tensor([False]), torch.rand(count) < config.erase_probability])
        made[n, 0][erased[torch.from_numpy(labels).long()].to(made.device)] = 0.0
        if torch.rand(()) < config.invent_probability:
            low, high = BLOB_SHARE
            place, size = torch.rand(2), float(low + (high - low) * torch.rand(()))
            radius = size * max(rows, cols)
            distance = (y - place[0] * rows) ** 2 + (x - place[1] * cols) ** 2
            made[n, 0] = torch.maximum(made[n, 0], torch.exp(-distance / (2 * radius**2)))
    return made


def taught_guide(modules: Modules, x: Tensor, level: int, config: Config) -> Tensor:
    """What a level in training is told by the one before it: by a thinned network, with mistakes of ours added."""
    with torch.no_grad(), ExitStack() as thinned:
        for earlier in range(level):
            network = modules[f"level_{earlier}"]
            thinned.enter_context(held(network, pass_masks(network, 1, int(torch.randint(2**31, ()))), 0))
        found, _ = posteriors(modules, x, level - 1, config)
        return guide_of(corrupted(found[-1], config))


def cropped(maps: Mapping[str, Tensor], where: Tensor, config: Config) -> dict[str, Tensor]:
    """One crop of each sample from maps (N, 1, H, W): seven in ten about a pixel of `where`, the others anywhere."""
    rows, cols = where.shape[-2:]
    height, width = min(config.crop_px, rows), min(config.crop_px, cols)
    parts: dict[str, list[Tensor]] = {name: [] for name in maps}
    for n in range(len(where)):
        top, left = (int(torch.randint(room + 1, ())) for room in (rows - height, cols - width))
        spots = where[n, 0].nonzero()
        if len(spots) and torch.rand(()) < ON_MARKS:
            y, x = spots[int(torch.randint(len(spots), ()))].tolist()
            top, left = (min(max(y - height // 2, 0), rows - height), min(max(x - width // 2, 0), cols - width))
        for name, own in maps.items():
            parts[name].append(own[n, :, top : top + height, left : left + width])
    return {name: torch.stack(own) for name, own in parts.items()}


def teaching(level: int, config: Config) -> Callable[[Modules, Batch], Outputs]:
    """The way of a level through the modules: logits, and the mask and valid pixels that they are judged by."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        network, x = modules[f"level_{level}"], batch.x[:, 0]
        seen = {
            "x": at_level(x, level, config),
            "mask": (at_level(batch.targets["mask"][:, None], level, config) >= 0.5).float(),
            "valid": at_level(batch.valid[:, 0], level, config) >= 0.5,
        }
        if not level:
            return {"logits": network(seen["x"]), **seen}
        if network.training:
            seen["guide"] = taught_guide(modules, x, level, config)
        else:
            seen["guide"] = guide_of(posteriors(modules, x, level - 1, config)[0][-1])
        part = cropped(seen, (seen["mask"] > 0) | (seen["guide"] > 0.5), config)
        return {"logits": network(part["x"], part["guide"]), **part}

    return forward


def outline_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Binary cross-entropy, and soft Dice where there is a mark."""
    return segmentation_loss(outputs["logits"], outputs["mask"], outputs["valid"])


def reads(config: Config, aim: Aim) -> Reads:
    """Whole breasts at the finest level; coarser ones are means of it."""
    return whole_images(config, "mask", most_px=config.finest_px)


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """A stage a level. Raises RunRefused for tissues, and where detection asks for several findings at once."""
    require_outlines(aim, "cascade_segmentation")
    return tuple(_stage(level, config) for level in range(config.levels))


def _stage(level: int, config: Config) -> Stage:
    steps = config.steps if level == config.levels - 1 else config.coarse_steps

    def build() -> nn.Module:
        inputs = 2 if level else 1
        return UNet(inputs, 1, config.width, config.depth, dropout=config.dropout, dropout_levels=1)

    return Stage(
        name=f"level_{level}",
        build=build,
        forward=teaching(level, config),
        loss=outline_loss,
        optimiser=Optimiser(lr=config.lr),
        steps=steps,
        epochs=config.epochs,
        batch=config.batch,
        sampler="half_marked",
        validate="task" if level == config.levels - 1 else "loss",
        head_prefixes=("out.",),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The last level's map; in a pass all levels are thinned by their masks. Levels that disagree are told apart."""
    x, last = batch.x[:, 0], config.levels - 1
    plain, summary = posteriors(modules, x, last, config)
    gap = 1 - soft_dice(guide_of(plain[-2]), plain[-1])
    passes = []
    for t in range(inference.passes):
        with ExitStack() as thinned:
            for name, module in modules.items():
                thinned.enter_context(held(module, dict(inference.masks[name]), t))
            passes.append(posteriors(modules, x, last, config)[0][-1])
    drawn = torch.stack(passes or [plain[-1]], 1)[:, :, 0].cpu()  # (N, T, H, W)
    said = []
    for n, own in enumerate(drawn):
        rows, cols = int(batch.valid[n, 0, 0].any(1).sum()), int(batch.valid[n, 0, 0].any(0).sum())
        maps, embedding = own[:, :rows, :cols], summary[n].cpu()
        values = {"level_disagreement": float(gap[n])}
        if inference.aim.task == "lesion_detection":
            boxes = boxes_of_map(maps, float(batch.mm_per_px[n, 0]), inference, embedding)
            said.append(replace(boxes, values={**boxes.values, **values}))
            continue
        said.append(
            Prediction(
                mask=maps.mean(0),
                mask_samples=maps if inference.passes else None,
                values=values,
                embedding=embedding,
            )
        )
    return said


SPEC = MethodSpec(
    name="cascade_segmentation",
    seed_row=7,
    serves=(
        Serves(
            task="segmentation",
            fidelity="reconstruction",
            claim_note="The review lists a multiscale autoencoder that segments and classifies; the paper's networks "
            "are encoder-decoders of the U-Net kind, not autoencoders, and outline masses only, coarse to fine.",
        ),
        Serves(
            task="lesion_detection",
            fidelity="adapted",
            claim_note="The paper detects nothing: here the connected parts of the last map, of one type of finding, "
            "are boxes, and their score is the mean probability inside.",
        ),
    ),
    findings=("mass",),
    inputs=IMAGE,
    needs=(Need(label="outline", min_train=2),),
    sizes=("tiny", "base", "large"),
    reference="Y. Yan et al., Cascaded multi-scale convolutional encoder-decoders for breast mass segmentation in "
    "high-resolution mammograms, EMBC 2019.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
)
