"""What moves while a stage trains: weights, their average, the optimiser, and where it stands."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.spec import Stage
from ml.training import schedule
from ml.training.checkpoints import Weights
from ml.training.optimisers import record_of, set_rate

EMA_FROM_STEPS = 1000


class TrainState:
    """Of one stage. `rate_scale` is halved whenever the loss left the numbers and the run went back.

    micro: how many samples go through at once, where memory has forced fewer than the plan's: a resumed run begins
    with as many, or norms would see other batches than in a run that was not interrupted. recomputing: how many blocks
    are computed twice because memory ended with one sample at a time. gained: whether the best
    figure on validation is better than the first.
    """

    def __init__(
        self, network: nn.Module, optimisers: dict[str, torch.optim.Optimizer], stage: Stage, steps: int, *,
        half: bool = False,
    ) -> None:  # fmt: skip
        self.network, self.optimisers, self.stage, self.steps = network, optimisers, stage, steps
        self.step = 0
        self.rate_scale = 1.0
        self.diverged = 0
        self.best: float | None = None
        self.gained = False
        self.evaluations_since_best = 0
        self.ema: Weights | None = self._copy() if steps >= EMA_FROM_STEPS and stage.train_step is None else None
        # Only float16 needs its gradients scaled up to stay above zero.
        self.scaler = torch.amp.GradScaler(next(network.parameters()).device.type, enabled=half)
        self.micro: int | None = None
        self.recomputing = 0
        self.movers = {name: Moves(self, name) for name in optimisers}

    def _copy(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def rate(self, name: str | None = None) -> float:
        """The learning rate of the next step; of the first optimiser unless another is named."""
        record = record_of(self.stage, next(iter(self.optimisers)) if name is None else name)
        return record.lr * schedule.factor(record, self.step, self.steps) * self.rate_scale

    def clear(self) -> None:
        """No gradients."""
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)

    def apply(self) -> Tensor:
        """Move the weights along the gradients that have gathered; the gradient's norm before clipping."""
        (name, optimiser), *_ = self.optimisers.items()
        set_rate(optimiser, self.rate())
        self.scaler.unscale_(optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), record_of(self.stage, name).clip_norm)
        self.scaler.step(optimiser)
        self.scaler.update()
        self.clear()
        self.advance()
        return norm

    def advance(self) -> None:
        """One step more, and the average with it."""
        if self.ema is not None:
            self._average(schedule.ema_decay(self.step))
        self.step += 1

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        assert self.ema is not None
        for name, value in self.network.state_dict().items():
            if value.is_floating_point() and name in self._parameter_names:
                self.ema[name].lerp_(value, 1 - decay)
            else:
                self.ema[name].copy_(value)  # buffers of norms are averages already

    @property
    def _parameter_names(self) -> set[str]:
        if not hasattr(self, "_names"):
            self._names = {name for name, _ in self.network.named_parameters()}
        return self._names

    def final_weights(self) -> Weights:
        """What is evaluated and exported: the average where there is one."""
        return self.ema if self.ema is not None else self.network.state_dict()

    def all_weights(self) -> Weights:
        """Raw weights, and the average under `ema.`."""
        averaged = {f"ema.{name}": value for name, value in (self.ema or {}).items()}
        return {**self.network.state_dict(), **averaged}

    def counters(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the weights; loads with `weights_only=True`."""
        return {
            "optimisers": {name: own.state_dict() for name, own in self.optimisers.items()},
            "scaler": self.scaler.state_dict(),
            "micro": self.micro,
            "recomputing": self.recomputing,
            "rate_scale": self.rate_scale,
            "diverged": self.diverged,
            "best": self.best,
            "gained": self.gained,
            "evaluations_since_best": self.evaluations_since_best,
        }

    def restore(self, step: int, weights: Weights, counters: dict[str, Any], *, keep_rate: bool = False) -> None:
        """Go on from a checkpoint."""
        raw = {name: value for name, value in weights.items() if not name.startswith("ema.")}
        self.network.load_state_dict(raw)
        if self.ema is not None:
            for name in self.ema:
                self.ema[name].copy_(weights[f"ema.{name}"])
        for name, own in self.optimisers.items():
            own.load_state_dict(counters["optimisers"][name])
        if counters["scaler"]:  # empty where the run began in another precision, on another machine
            self.scaler.load_state_dict(counters["scaler"])
        self.micro = counters["micro"] if self.micro is None else self.micro
        self.recomputing = self.recomputing or counters.get("recomputing", 0)  # not there in earlier versions' either
        self.step = step
        if not keep_rate:
            self.rate_scale, self.diverged = counters["rate_scale"], counters["diverged"]
        self.best, self.evaluations_since_best = counters["best"], counters["evaluations_since_best"]
        self.gained = counters.get("gained", False)  # a checkpoint of an earlier version does not have it


class Moves:
    """One optimiser of a stage that has several, as its `train_step` uses it."""

    def __init__(self, state: TrainState, name: str) -> None:
        self.state, self.name = state, name

    def move(self, samples: int, loss_of: Callable[[slice], Tensor]) -> Tensor:
        """Clear its gradients, gather those of each part, clip, step; the mean loss.

        Half floats are scaled as everywhere. One part, unless memory has forced fewer at once.
        """
        optimiser, scaler = self.state.optimisers[self.name], self.state.scaler
        set_rate(optimiser, self.state.rate(self.name))
        optimiser.zero_grad(set_to_none=True)
        losses = []
        for part in self._parts(samples):
            loss = loss_of(part) * ((part.stop - part.start) / samples)
            scaler.scale(loss).backward()
            losses.append(loss.detach())
        scaler.unscale_(optimiser)
        own = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(own, record_of(self.state.stage, self.name).clip_norm)
        scaler.step(optimiser)
        scaler.update()
        # The loss also reached weights of the others, which must not find old gradients.
        self.state.clear()
        return torch.stack(losses).sum()

    def _parts(self, samples: int) -> list[slice]:
        """In as many as the stage's batch is cut into, whether there are as many samples or more."""
        batch = self.state.stage.batch
        size = math.ceil(samples / math.ceil(batch / (self.state.micro or batch)))
        return [slice(first, min(first + size, samples)) for first in range(0, samples, size)]
