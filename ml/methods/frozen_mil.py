"""Cancer in an exam from tiles that a frozen network describes: made to learn anew in seconds (beyond the rows).

Source of the pooling: M. Ilse, J. Tomczak, M. Welling, "Attention-based deep multiple instance learning", ICML 2018; of
the ensemble: B. Lakshminarayanan et al., NeurIPS 2017. How they are put together here is ours.

An encoder looks at 256-pixel tiles, half overlapping, wherever there is breast and nowhere else; gated attention with
128 hidden units weighs these tiles of an exam, each with an embedding of its view; five such heads, from starting
values of their own, say cancer or not and which findings, and are unsure where they disagree. AdamW 1e-3, 50 epochs.

The encoder is that of an earlier model or a weights file (`encoder="given"`), or learns here first whether images show
a finding (`encoder="pretrain"`), from the tenth of its cells that say so loudest; then it never changes. What it says
of an image is kept on disk beside the prepared pixels, by the image, its preparation, and the weights of the trunk: a
later run with the same encoder, which a continued model has, looks at new images alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbones import backbone
from ml.blocks.boxes import nms
from ml.blocks.gated_attention import GatedAttention
from ml.methods.answering import binary
from ml.methods.frozen_parts import DEFAULTS, DESCRIBED, Config, Descriptions, Encoder
from ml.methods.reading import EXAM, FOUR_VIEWS, IMAGE
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
from ml.pixels.tiles import places
from ml.runs.needs import Need

FINDINGS = ("mass", "calcification", "asymmetry", "architectural_distortion")
MOST_TILES, TILE_IOU = 3, 0.1
"""Tiles of a view that are shown: so many, apart, and each with more than an even share of what speaks for cancer."""


class MilHead(nn.Module):
    """Tiles (B, K, D) of views (K,) to logits (B, 2), finding logits (B, F), the vector (B, D+E), attention (B, K).

    tiles (B, K): the logit of each tile by itself; weighed by the attention, they add up to that of the exam.
    """

    def __init__(self, config: Config, features: int) -> None:
        super().__init__()
        self.view = nn.Embedding(len(FOUR_VIEWS), config.view_width)
        wide = features + config.view_width
        self.attention = GatedAttention(wide, config.hidden)
        self.exam = nn.Linear(wide, 1)
        self.findings = nn.Linear(wide, len(FINDINGS))

    def forward(self, tiles: Tensor, views: Tensor, mask: Tensor) -> dict[str, Tensor]:
        placed = self.view(views).expand(len(tiles), -1, -1)
        known = torch.cat([tiles, placed.to(tiles)], 2)
        pooled, attention = self.attention(known, mask)
        return {
            "logits": binary(self.exam(pooled)[:, 0]),
            "findings": self.findings(pooled),
            "embedding": pooled,
            "attention": attention,
            "tiles": self.exam(known)[..., 0],
        }


class Heads(nn.Module):
    """An ensemble: (B, K, D) to the outputs of each head, stacked (M, B, ...)."""

    def __init__(self, config: Config, features: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(MilHead(config, features) for _ in range(config.heads))

    def forward(self, tiles: Tensor, views: Tensor, mask: Tensor) -> dict[str, Tensor]:
        said = [member(tiles, views, mask) for member in self.members]
        return {name: torch.stack([own[name] for own in said]) for name in said[0]}


def bag(encoder: Any, batch: Batch, config: Config, known: Descriptions) -> tuple[Tensor, Tensor, Tensor]:
    """Tiles (B, V*K, D) of all views, their views (V*K,), and which of them are there (B, V*K).

    K counts the tiles of a whole view. Those without breast, and those of views that are not there, are zeros that
    nobody looked at.
    """
    encoder.eval()
    exams, slots = batch.x.shape[:2]
    count = len(list(places((batch.x.shape[-2], batch.x.shape[-1]), config.tile_px, config.tile_px // 2)))
    tiles = torch.zeros(exams, slots, count, encoder.trunk.embed_width)
    there = torch.zeros(exams, slots, count, dtype=torch.bool)
    with torch.no_grad():
        for exam, slot in batch.view_mask.nonzero().tolist():
            said = known.of(encoder, batch, exam, slot, config)
            index = torch.from_numpy(said["index"])
            tiles[exam, slot, index] = torch.from_numpy(said["features"])
            there[exam, slot, index] = True
    views = torch.arange(slots, device=batch.x.device).repeat_interleave(count)
    return tiles.flatten(1, 2).to(batch.x.device), views, there.flatten(1).to(batch.x.device)


def encoder_loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropy of a finding in the image."""
    return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}


def forward_of(config: Config) -> Any:
    """Every head on what the frozen encoder says of the tiles."""

    def forward(modules: Modules, batch: Batch) -> Outputs:
        outputs: Outputs = modules["heads"](*bag(modules["encoder"], batch, config, DESCRIBED))
        return outputs

    return forward


def heads_loss(outputs: Outputs, batch: Batch) -> Mapping[str, Tensor]:
    """Cross-entropies of the exam and of the findings that are known, the sum over heads: each learns as if alone."""
    exams, wanted = batch.targets["class"], batch.targets["findings"]
    known = wanted >= 0
    exam = [functional.cross_entropy(own.float(), exams) for own in outputs["logits"]]
    found = []
    for own in outputs["findings"]:
        losses = functional.binary_cross_entropy_with_logits(own.float(), wanted.clamp(min=0).float(), reduction="none")
        found.append((losses * known).sum() / known.sum().clamp(min=1))
    return {"exam": torch.stack(exam).sum(), "findings": torch.stack(found).sum()}


def reads(config: Config, aim: Aim) -> Reads:
    """The four views of an exam, as they are: what is said of a tile is asked once."""
    return Reads(inputs=EXAM, pixels=pixels(config), targets=("class", "findings"))


def pixels(config: Config) -> dict[str, Any]:
    """The same preparation for encoder and heads."""
    return {
        "target_spacing_mm": config.target_spacing_mm,
        "size": (config.rows_px, config.cols_px),
        "window": "percentile",
    }


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """The encoder, or only its last layer where it was given; then the heads."""
    with torch.device("meta"):
        features = backbone(config.trunk).embed_width
    return (
        Stage(
            name="encoder",
            build=lambda: Encoder(config),
            loss=encoder_loss,
            reads=Reads(
                inputs=IMAGE,
                pixels=pixels(config),
                augment={"flip_y": 0.5, "rotation_degrees": 10.0, "scale": 0.1, "gamma": 0.25, "noise": 0.02},
                targets=("presence",),
            ),
            optimiser=Optimiser(lr=config.encoder_lr),
            trainable=("head.",) if config.encoder == "given" else (),
            given=config.encoder == "given",
            steps=config.encoder_steps,
            epochs=config.encoder_epochs,
            batch=config.encoder_batch,
            sampler="class_balanced",
            head_prefixes=("head.",),
            validate="loss",
            pretrains=True,
        ),
        Stage(
            name="heads",
            build=lambda: Heads(config, features),
            forward=forward_of(config),
            loss=heads_loss,
            optimiser=Optimiser(lr=config.lr, clip_norm=10.0),
            steps=config.steps,
            epochs=config.epochs,
            batch=config.batch,
            sampler="class_balanced",
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The mean of the heads, each of them a sample of what could be said, and the tiles that it rests on most.

    values are findings.
    """
    said = modules["heads"](*bag(modules["encoder"], batch, config, DESCRIBED))
    logits = said["logits"].float().movedim(0, 1).cpu()  # (B, M, 2)
    findings = said["findings"].float().sigmoid().mean(0).cpu()
    embedding = said["embedding"].float().mean(0).cpu()
    samples = logits.softmax(-1)
    answers = [
        Prediction(
            probabilities=samples[n].mean(0),
            logits=logits[n].mean(0),
            samples=samples[n] if config.heads > 1 else None,
            values={name: float(findings[n, f]) for f, name in enumerate(FINDINGS)},
            embedding=embedding[n],
        )
        for n in range(len(batch.ids))
    ]
    shown = spoken_for(said).cpu().unflatten(1, (batch.x.shape[1], -1))
    corners = list(places((batch.x.shape[-2], batch.x.shape[-1]), config.tile_px, config.tile_px // 2))
    return [replace(own, where=weakly(part, corners, config)) for own, part in zip(answers, shown, strict=True)]


def spoken_for(said: Outputs) -> Tensor:
    """(B, K) >= 0: what each tile adds to the exam's logit, the mean over heads; what speaks against it is 0."""
    return (said["attention"].float() * said["tiles"].float()).mean(0).clamp(min=0)


def weakly(spoken: Tensor, corners: Sequence[tuple[int, int]], config: Config) -> tuple[Where, ...]:
    """The tiles of each view (V, K) that speak most for cancer, with their share in all that does; no mark taught them.

    corners (y, x) of the tiles, which overlap by half: of those that touch the loudest stands.
    """
    shares, even = spoken / spoken.sum().clamp(min=1e-12), 1 / max(1, int((spoken > 0).sum()))
    top_left = torch.tensor([(x, y) for y, x in corners], dtype=torch.float32)
    boxes = torch.cat([top_left, top_left + config.tile_px], 1)
    found = []
    for view, own in enumerate(shares):
        kept = nms(boxes, own, TILE_IOU, limit=MOST_TILES)
        kept = kept[own[kept] > even]
        found.append(
            Where(
                slot=view,
                names=("weak",),
                boxes=boxes[kept],
                scores=own[kept],
                labels=torch.zeros(len(kept), dtype=torch.long),
            )
        )
    return tuple(found)


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """What speaks for cancer (B, V, h, w), a cell each half tile: the mean of what the tiles that cover it add."""
    spoken = spoken_for(modules["heads"](*bag(modules["encoder"], batch, config, DESCRIBED)))
    rows, cols = batch.x.shape[-2:]
    tile, cell = config.tile_px, config.tile_px // 2
    weights = spoken.unflatten(1, (batch.x.shape[1], -1))
    total = torch.zeros(*weights.shape[:2], -(-rows // cell), -(-cols // cell), device=weights.device)
    times = torch.zeros_like(total)
    for k, (top, left) in enumerate(places((rows, cols), tile, tile // 2)):
        where = (..., slice(top // cell, -(-(top + tile) // cell)), slice(left // cell, -(-(left + tile) // cell)))
        total[where] += weights[:, :, k, None, None]
        times[where] += 1
    return total / times.clamp(min=1)


SPEC = MethodSpec(
    name="frozen_mil",
    seed_row=None,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="reconstruction",
            claim_note="Not a row of the review: for short rounds of labelling, in which an encoder stays as it is and "
            "only what weighs its tiles learns anew. No paper reports it on mammograms.",
        ),
    ),
    findings=(),
    inputs=EXAM,
    needs=(Need(label="exam_class", min_train=2, min_classes=2),),
    sizes=("tiny", "base", "large"),
    reference="M. Ilse et al., Attention-based deep multiple instance learning, ICML 2018; B. Lakshminarayanan et al., "
    "Simple and scalable predictive uncertainty estimation using deep ensembles, NeurIPS 2017.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="members",
    heat=heat,
)
