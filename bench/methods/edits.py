"""What a method loses to become a stub: edits of a network right after it was built, of stages and of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.methods.stubs import Passed, each_gate
from ml.blocks.channel_gate import ChannelGate
from ml.methods import gan_augmentation
from ml.methods.spec import Batch, Inference, Lesson, MethodSpec, Modules, Prediction, Stage


def averaged_maps(network: Any) -> None:
    """`gmic`: every cell is the average of all cells, so that no place is more salient: crops stay in one corner."""
    trunk = network.trunk.forward

    def averaged(x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = trunk(x)
        return [*maps[:-1], maps[-1].mean((2, 3), keepdim=True).expand_as(maps[-1])]

    network.trunk.forward = averaged


def one_member(place: int) -> Callable[[Any], None]:
    """`dream_ensemble`: the regressions see one member's score in the place of each."""

    def copied(scores: Any) -> Any:
        found = np.array(scores) if isinstance(scores, np.ndarray) else scores.clone()
        found[...] = found[:, place : place + 1]
        return found

    return regression_of(copied)


def regression_of(see: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Every level's regression of `dream_ensemble` fitted to, and asked about, `see(scores)` (N, M)."""

    def edit(network: Any) -> None:
        for level in network.levels.values():
            level.fit = seeing_rows(level.fit, see)
            level.logits = seeing_rows(level.logits, see)

    return edit


def seeing_rows(ask: Callable[..., Any], see: Callable[[Any], Any]) -> Callable[..., Any]:
    """`ask(rows, ...)` as `ask(see(rows), ...)`."""
    return lambda rows, *others, **named: ask(see(rows), *others, **named)


def half_open(network: Any) -> None:
    """Every gate says one half, whatever it is shown; its weights stay, and are moved by nothing."""
    for _, _, gate in each_gate(network, ChannelGate):
        gate.gate_of = lambda summary, width=gate.excite.out_features: torch.full(
            (len(summary), width), 0.5, dtype=summary.dtype
        )


def sides_alone(network: Any) -> None:
    """Nothing is compared: each side is judged by what it shows, not by what the other does not."""

    def excess(maps: Tensor) -> Tensor:
        return torch.relu(maps)

    network.excess = excess


def no_difference(network: Any) -> None:
    """Gates and features lose the difference of the sides; what is left is their sum, in the same number of numbers."""
    from ml.methods.se_asymmetry import PairGate

    for _, _, gate in each_gate(network, PairGate):
        gate.use_difference = False
    embed = network.embed

    def summed(x: Tensor) -> Tensor:
        both, apart = embed(x).chunk(2, 1)
        return torch.cat([both, torch.zeros_like(apart)], 1)

    network.embed = summed


def without_graph(network: Any) -> None:
    """The graph learner says nothing, in as many numbers."""
    channels = network.cgl.channels
    network.cgl.forward = lambda image, mask: image.new_zeros(len(image), channels)


def bilinear_only(network: Any) -> None:
    """No dense map is added to the skip, and no gate weighs anything."""
    for block in network.up:
        block.dense = Nothing()
        block.gate = torch.nn.Identity()


class Nothing(torch.nn.Module):
    """Zeros in the shape of the dense map: 2C channels, which the shuffle makes C/2 of twice the side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).repeat(1, 2, 1, 1)


def average_of_tiles(network: Any) -> None:
    """Every tile of breast weighs the same."""
    for member in network.members:
        member.attention.attention = lambda h, mask: mask / mask.sum(1, keepdim=True).clamp(min=1)


def last_map(network: Any) -> None:
    """The trunk's last map (P5) in the place of every level, at that level's size: what a detector has without one."""
    pyramid = network.pyramid

    def same(x: Tensor) -> list[Tensor]:
        levels = pyramid(x)
        return [torch.nn.functional.adaptive_avg_pool2d(levels[2], level.shape[-2:]) for level in levels]

    network.pyramid = same


def copied_guide(network: Any) -> None:
    """The second network hands on what it was told."""
    encode = network.encode
    network.out = told = Told(network.out)

    def listened(x: Tensor, guide: Tensor) -> list[Tensor]:
        told.guide = guide
        found: list[Tensor] = encode(x, guide)
        return found

    network.encode = listened


class Told(torch.nn.Module):
    """The logits of the guide; the layer in whose place it stands is kept, and moved by nothing."""

    def __init__(self, out: torch.nn.Module) -> None:
        super().__init__()
        self.out, self.guide = out, torch.zeros(0)

    def forward(self, maps: Tensor) -> Tensor:
        rows, cols = self.guide.shape[-2:]
        return torch.logit(self.guide.clamp(1e-4, 1 - 1e-4)) + 0.0 * self.out(maps)[..., :rows, :cols]


def averaged(network: Any) -> None:
    """The mean of all windows in place of the strongest."""
    network.embed = lambda x, valid: network.windows(x).mean((2, 3))


def everywhere(network: Any) -> None:
    """The outline of the breast is the whole film; what was learned is kept, and counts for nothing."""
    outline = network.forward

    def whole(x: Tensor) -> Tensor:
        return 10.0 + 0.0 * outline(x)

    network.forward = whole


def grid_of_boxes(network: Any) -> None:
    """Squares of a grid in place of what the belief nets find: as many as are looked at, and certain of each."""
    maps = network.maps

    def squares(x: Tensor, breast: Tensor, gates: Sequence[float]) -> tuple[list[Tensor], float]:
        found, share = maps(x, breast, gates)
        rows, cols = ((torch.arange(side) - GRID_FROM_PX) % GRID_PITCH_PX < GRID_SIDE_PX for side in breast.shape)
        grid = (rows[:, None] & cols[None]).to(found[0]) * (breast > 0)
        return [grid, *found[1:]], share

    network.maps = squares


def breast_alone(method: MethodSpec) -> MethodSpec:
    """The breast model's score in the place of the other models' too."""
    name = "score_breast"

    def predict(modules: Modules, batch: Batch, config: Any, inference: Inference) -> list[Prediction]:
        return [alone(own) for own in method.predict(modules, batch, config, inference)]

    def alone(own: Prediction) -> Prediction:
        said = torch.tensor(own.values[name])
        two = torch.stack([1 - said, said])
        return replace(own, probabilities=two, logits=two.clamp(min=1e-9).log(), samples=None)

    return replace(method, predict=predict)


def noise_for_made(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Noise of the same grey values in the place of made regions."""

    def generate(lesson: Lesson) -> None:
        gan_augmentation.generate(NoiseKept(lesson))

    return tuple(replace(stage, learn=generate) if stage.name == "generate" else stage for stage in stages)


class NoiseKept(Passed):
    """A lesson that keeps the pixels of made regions in a drawn order, each region's its own."""

    def keep(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """As the lesson's own, shuffled."""
        x = tensors["x"]
        flat = x.flatten(-2)
        order = torch.rand(flat.shape, generator=torch.Generator().manual_seed(0)).argsort(-1)
        self.lesson.keep(name, {**tensors, "x": flat.gather(-1, order).reshape(x.shape)})


def from_random(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The trunk of the transfer starts as it was drawn; the source is learned all the same, for nobody."""
    return tuple(replace(stage, starts_from=()) if stage.name == "transfer_head" else stage for stage in stages)


def no_patches(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """No scan starts from what patches taught; patches are learned all the same, for nobody."""
    return tuple(replace(stage, starts_from=(), lr_factors={}) for stage in stages)


def only_the_head(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The trunk stays as it was drawn."""
    return tuple(replace(stage, trainable=("head.",)) if stage.name == "transfer" else stage for stage in stages)


GRID_FROM_PX, GRID_PITCH_PX, GRID_SIDE_PX = 14, 54, 26
"""Of the boxes of `grid_of_boxes`: about eight in a breast of 160 pixels, each as large as a mass of middle size."""
