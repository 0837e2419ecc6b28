"""What moves while a stage trains: weights, their average, the optimiser, and where it stands."""

from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.spec import Stage
from ml.training import schedule
from ml.training.checkpoints import Weights
from ml.training.optimisers import set_rate

EMA_FROM_STEPS = 1000


class TrainState:
    """Of one stage. `rate_scale` is halved whenever the loss left the numbers and the run went back."""

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, stage: Stage, steps: int, *, half: bool = False
    ) -> None:
        self.network, self.optimiser, self.stage, self.steps = network, optimiser, stage, steps
        self.step = 0
        self.rate_scale = 1.0
        self.diverged = 0
        self.best: float | None = None
        self.evaluations_since_best = 0
        self.ema: Weights | None = self._copy() if steps >= EMA_FROM_STEPS else None
        # Only float16 needs its gradients scaled up to stay above zero.
        self.scaler = torch.amp.GradScaler("cuda", enabled=half)

    def _copy(self) -> Weights:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def rate(self) -> float:
        """The learning rate of the next step."""
        factor = schedule.factor(self.stage.optimiser, self.step, self.steps)
        return self.stage.optimiser.lr * factor * self.rate_scale

    def apply(self) -> Tensor:
        """Move the weights along the gradients that have gathered; the gradient's norm before clipping."""
        set_rate(self.optimiser, self.rate())
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.stage.optimiser.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        if self.ema is not None:
            self._average(schedule.ema_decay(self.step))
        self.step += 1
        return norm

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
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rate_scale": self.rate_scale,
            "diverged": self.diverged,
            "best": self.best,
            "evaluations_since_best": self.evaluations_since_best,
        }

    def restore(self, step: int, weights: Weights, counters: dict[str, Any], *, keep_rate: bool = False) -> None:
        """Go on from a checkpoint."""
        raw = {name: value for name, value in weights.items() if not name.startswith("ema.")}
        self.network.load_state_dict(raw)
        if self.ema is not None:
            for name in self.ema:
                self.ema[name].copy_(weights[f"ema.{name}"])
        self.optimiser.load_state_dict(counters["optimiser"])
        self.scaler.load_state_dict(counters["scaler"])
        self.step = step
        if not keep_rate:
            self.rate_scale, self.diverged = counters["rate_scale"], counters["diverged"]
        self.best, self.evaluations_since_best = counters["best"], counters["evaluations_since_best"]
