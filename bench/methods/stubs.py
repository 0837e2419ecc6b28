"""Ways to take the distinctive part out of a method and leave everything else: records made of records.

The loop knows nothing of it: a stub is a MethodSpec whose stages build a changed network, or see a changed batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.spec import Aim, Batch, Inference, Lesson, MethodSpec, Modules, Outputs, Prediction, Stage

Edit = Callable[[Any], None]
See = Callable[[Batch], Batch]
Change = Callable[[MethodSpec], MethodSpec]


def unchanged(method: MethodSpec) -> MethodSpec:
    """The method itself, where a stub is a matter of its config alone."""
    return method


def with_networks(**edits: Edit) -> Change:
    """Networks of the named stages changed right after they are built, in training and in prediction alike."""

    def changed(stage: Stage) -> Stage:
        edit = edits.get(stage.name)
        if edit is None:
            return stage

        def build() -> nn.Module:
            network = stage.build()
            edit(network)
            return network

        return replace(stage, build=build)

    return with_stages(lambda stages: tuple(changed(stage) for stage in stages))


def with_stages(change: Callable[[tuple[Stage, ...]], tuple[Stage, ...]]) -> Change:
    """The plan of stages changed."""

    def apply(method: MethodSpec) -> MethodSpec:
        return replace(method, stages=lambda config, aim: change(method.stages(config, aim)))

    return apply


def seeing(see: See) -> Change:
    """Every stage, and prediction, sees `see(batch)` in place of the batch."""

    def changed(stage: Stage) -> Stage:
        if stage.learn is not None:
            learn = stage.learn
            return replace(stage, learn=lambda lesson: learn(SeenLesson(lesson, see)))
        if stage.loss is None:
            return stage

        def forward(modules: Modules, batch: Batch) -> Outputs:
            if stage.forward is not None:
                return stage.forward(modules, see(batch))
            found: Outputs = modules[stage.name](see(batch).x, see(batch).valid)
            return found

        return replace(stage, forward=forward)

    def apply(method: MethodSpec) -> MethodSpec:
        def stages(config: Any, aim: Aim) -> tuple[Stage, ...]:
            return tuple(changed(stage) for stage in method.stages(config, aim))

        def predict(modules: Modules, batch: Batch, config: Any, inference: Inference) -> list[Prediction]:
            return method.predict(modules, see(batch), config, inference)

        return replace(method, stages=stages, predict=predict)

    return apply


class Passed:
    """A lesson that hands everything on to another one."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lesson, name)


class SeenLesson(Passed):
    """A lesson whose batches are seen so; all else is the lesson's."""

    def __init__(self, lesson: Lesson, see: See) -> None:
        super().__init__(lesson)
        self._see = see

    def batches(self, *splits: str, size: int = 16, varied: int = 0) -> Iterator[Batch]:
        """As the lesson's own."""
        return map(self._see, self.lesson.batches(*splits, size=size, varied=varied))


def both(*changes: Change) -> Change:
    """One change after the other."""

    def apply(method: MethodSpec) -> MethodSpec:
        for change in changes:
            method = change(method)
        return method

    return apply


def only_view(place: int) -> See:
    """One view in the place of all."""

    def see(batch: Batch) -> Batch:
        def copied(x: Tensor) -> Tensor:
            return x[:, place : place + 1].expand_as(x)

        return replace(batch, x=copied(batch.x), breast=copied(batch.breast), valid=copied(batch.valid))

    return see


def shuffled(batch: Batch) -> Batch:
    """The grey values of every image, none of them at its place."""
    flat = batch.x.flatten(-2)
    order = torch.randperm(flat.shape[-1], generator=torch.Generator().manual_seed(0))
    return replace(batch, x=flat[..., order].reshape(batch.x.shape))


def without_phases(batch: Batch) -> Batch:
    """What the power spectrum of every image says, and nothing else: its phases are those of noise."""
    x = batch.x.float()
    noise = torch.fft.rfft2(torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
    strength = torch.fft.rfft2(x - x.mean((-2, -1), keepdim=True)).abs()
    made = torch.fft.irfft2(strength * noise / noise.abs().clamp(min=1e-9), s=x.shape[-2:])
    return replace(batch, x=(made + x.mean((-2, -1), keepdim=True)).clamp(0, 1))


def each_gate(network: nn.Module, kind: type[nn.Module]) -> Sequence[tuple[nn.Module, str, Any]]:
    """(parent, name, module) of every module of a kind."""
    return [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind)
    ]
