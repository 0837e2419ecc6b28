"""What the transfer methods start from: the same trunk, taught before whether an image shows a finding.

No published weights come with the project. The source is the snapshot's own images, with phantoms added where it knows
of too few whether they show anything, or where all of them do, or none, and there would be nothing to tell apart; an
operator's weights file, where the run names one, is what the first stage begins with. The stages of a run, and so its
report, name the source.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.backbone import Backbone
from ml.methods.answering import binary
from ml.methods.spec import Batch, Lesson, Modules, Optimiser, Outputs, Reads, Stage
from ml.runs.manifest import ManifestRow
from ml.runs.truths import presence_of
from ml.simulation.probes import small_lesion_large_image

Source = Literal["auto", "presence", "phantoms", "none"]
#: With fewer images of which it is known whether they show a finding, phantoms are added.
ENOUGH = 500
#: Where the phantoms are kept.
MADE = "phantoms:made"
Pixels = Callable[[Modules, Batch], Tensor]


def settled(source: Source, rows: Sequence[ManifestRow]) -> Source:
    """`auto` from the training rows: their own findings, or phantoms beside them where they are few or of one class."""
    if source != "auto":
        return source
    known = [shown for row in rows if (shown := presence_of([row])) is not None]
    return "presence" if len(known) >= ENOUGH and len(set(known)) == 2 else "phantoms"


class Presence(nn.Module):
    """Images (B, I, H, W) to logits (B, 2) of whether there is a finding."""

    def __init__(self, trunk: Backbone) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.embed_width, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": binary(self.head(self.trunk.embed(x))[:, 0])}


class Made(nn.Module):
    """How many phantoms were made; they themselves are an artefact."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.long))


def presence_loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy of what is known."""
    return {"presence": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"], ignore_index=-1)}


def phantoms_stages(source: Source, *, phantoms: int, size_px: int, reads: Reads) -> tuple[Stage, ...]:
    """The stage `phantoms`, where they are the source: images with one small lesion or none, kept as `MADE`."""
    if source != "phantoms":
        return ()

    def make(lesson: Lesson) -> None:
        x, y, _ = small_lesion_large_image(phantoms, lesson.seed, size_px)
        lesson.keep("made", {"x": torch.from_numpy(x)[:, None].half(), "class": torch.from_numpy(y)})
        own: Any = lesson.modules["phantoms"]
        own.count.fill_(len(x))

    return (Stage(name="phantoms", kind="extract", build=Made, learn=make, reads=reads, pretrains=True),)


def presence_stages(
    source: Source,
    *,
    trunk: Callable[[], Backbone],
    pixels: Pixels,
    reads: Reads,
    phantoms: int,
    size_px: int,
    optimiser: Optimiser,
    steps: int | None,
    epochs: float,
    batch: int,
) -> tuple[Stage, ...]:
    """`phantoms`, where they are the source, and `pretrain`; nothing for the source "none" (from scratch).

    `pixels` makes what the trunk sees of a batch, as in the stage that follows; reads must ask for `presence`.
    """
    if source == "none":
        return ()

    def forward(modules: Modules, shown: Batch) -> Outputs:
        said: Outputs = modules["pretrain"](pixels(modules, shown))
        return said

    return (
        *phantoms_stages(source, phantoms=phantoms, size_px=size_px, reads=reads),
        Stage(
            name="pretrain",
            build=lambda: Presence(trunk()),
            loss=presence_loss,
            forward=forward,
            reads=reads,
            optimiser=optimiser,
            steps=steps,
            epochs=epochs,
            batch=batch,
            sampler="class_balanced",
            head_prefixes=("head.",),
            validate="none",
            pretrains=True,
            mixes=MADE if source == "phantoms" else None,
        ),
    )
