"""The loop: one stage, step by step. Stopped and resumed, it ends with the weights it would have had."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ml.methods.spec import Batch, Modules, Outputs, Stage
from ml.runs.cancel import Stopped, StopRequest
from ml.runs.errors import RunRefused
from ml.runs.events import EventWriter
from ml.runs.exits import Exit
from ml.runs.heartbeat import Heartbeat
from ml.training import checkpoints
from ml.training.batch_ahead import Span
from ml.training.checkpoints import Identity
from ml.training.device import Machine, is_out_of_memory, no_memory
from ml.training.freezing import set_trainable
from ml.training.norms import join_norms, statistics_kept
from ml.training.pace import Pace
from ml.training.recomputing import recompute_blocks
from ml.training.sampling import key_seed
from ml.training.state import TrainState

CURVE_POINTS = 60
EVALUATIONS = 8
CHECKPOINT_SECONDS = 300.0
#: Looks at validation without a gain until a stage ends: more than a third of those that a plan has.
PATIENCE, MIN_DELTA = 3, 0.001
MAX_DIVERGED = 3


def forward_of(stage: Stage, modules: Modules, batch: Batch) -> Outputs:
    """The outputs of a stage: its own way through the modules, else its network of the pixels."""
    if stage.forward is not None:
        return stage.forward(modules, batch)
    found: Outputs = modules[stage.name](batch.x, batch.valid)
    return found


class Loader(Protocol):
    """Where batches come from: a function of the position alone."""

    n: int

    def batch(self, first: int, count: int, then: Span | None = None) -> Batch:
        """The samples at positions first..first+count-1 of the endless order; `then` will be asked for next."""


@dataclass(frozen=True)
class Watch:
    """Everybody who looks at a running loop."""

    events: EventWriter
    heartbeat: Heartbeat
    stop: StopRequest

    def halved(self, batch: int, accumulate: int = 1) -> None:
        """Tell that memory ended: so many samples go through at once now, so many times a step."""
        self.events.write("resource", what="oom_halved", batch=batch, accumulate=accumulate)


@dataclass(frozen=True)
class Plan:
    """How a stage is run: what does not belong to the method.

    freeze_steps: the first steps train the heads alone (a continued model). early_stopping: keep the best weights on
    validation, and stop when they stay the best. checkpoint_seconds: the shortest time between two checkpoints.
    """

    steps: int
    seed: int
    identity: Identity
    folder: Path
    freeze_steps: int = 0
    freeze_norm: bool = False
    early_stopping: bool = False
    checkpoint_seconds: float = 10.0
    micro: int | None = None


Validate = Callable[[TrainState], Mapping[str, float | None]]


class Loop:
    """Trains one stage; `run()` is the whole of it."""

    def __init__(
        self, state: TrainState, stage: Stage, loader: Loader, plan: Plan, machine: Machine, watch: Watch,
        validate: Validate | None, earlier: Modules | None = None,
    ) -> None:  # fmt: skip
        self.state, self.stage, self.loader, self.plan = state, stage, loader, plan
        self.modules: Modules = {**(earlier or {}), stage.name: state.network}
        self.machine, self.watch, self.validate = machine, watch, validate
        self.ranks = machine.ranks
        #: What of each batch is this process's. A stage that makes its own steps makes them whole, everywhere alike.
        self.part = (0, stage.batch) if stage.train_step is not None else self.ranks.part(stage.batch)
        self.micro = min(state.micro or plan.micro or stage.batch, max(self.part[1], 1))
        self.began = self.saved = time.monotonic()
        self.first_step = state.step
        self.losses: list[Tensor] = []
        self.saved_step = -1
        self.joined = False
        if state.recomputing:
            recompute_blocks(state.network)
        self.pace = Pace(machine)

    def run(self) -> None:
        """Train to the end of the plan. Raises Stopped, RunRefused (exits 4 and 5)."""
        state, plan = self.state, self.plan
        if state.step == 0:
            self.checkpoint()  # where a run that diverges before its first epoch goes back to
        if self.machine.joins_norms and self.stage.train_step is None:
            self.rehearse()
            join_norms(state.network)
            self.joined = True
        over = self.settled()  # killed after the look that ended it: it must not train on
        while not over and state.step < plan.steps:
            self.check_stop()
            self.set_trainable()
            loss = self.step()
            if not self.finite(loss):
                continue
            self.pace.stepped(self.stage.batch)
            self.losses.append(loss)
            self.tell(loss)
            if self.evaluation_due():
                over = bool(self.ranks.most(self.ranks.first and self.evaluate()))
            if not over and self.checkpoint_due():
                self.checkpoint()
        self.pace.finish()
        self.checkpoint()

    def check_stop(self) -> None:
        """End, with a checkpoint, where any of the processes was asked to. Raises Stopped."""
        asked: Stopped | None = None
        try:
            self.watch.stop.check()
        except Stopped as stopped:
            asked = stopped
        except BaseException:
            self.checkpoint()
            raise
        code = self.ranks.most(0 if asked is None else int(asked.exit))
        if code:
            self.checkpoint()
            raise asked or Stopped(Exit(int(code)), "another process was asked to end")

    # -- one step -----------------------------------------------------------------------------------------------

    def step(self) -> Tensor:
        """One move of the weights; the mean loss, on the device."""
        return self._moved(self._gathered())

    def rehearse(self) -> None:
        """Find the micro-batch that memory holds, and leave no trace.

        Joined norms wait for each other in the midst of a step, where a process whose memory ended could no longer
        tell the others to take fewer samples. Two copies of the weights make room for what an optimiser will keep.
        """
        self.set_trainable()
        room = [torch.empty_like(parameter) for parameter in self.state.network.parameters() for _ in range(2)]
        with statistics_kept(self.state.network):
            self._gathered()
        del room
        self.state.clear()

    def _gathered(self) -> Tensor:
        """Gradients in as many micro-batches as memory asks for; the loss as `_gradients` gives it."""
        while True:
            loss: Tensor | None = None
            try:
                loss = self._gradients()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.joined:
                    raise no_memory("out of memory in a step whose norms wait for other GPUs") from None
            if not self.ranks.most(loss is None):
                assert loss is not None
                return loss
            self._halve()

    def _gradients(self) -> Tensor:
        """The mean loss of this process's part of the batch, times its share; its gradients have gathered."""
        state, stage = self.state, self.stage
        # Dropout of a step depends on (seed, stage, step) alone: nothing to store, nothing to lose on a resume.
        seed = key_seed(self.plan.seed, stage.name, state.step)
        torch.manual_seed(seed if stage.train_step is not None else seed + self.ranks.rank)
        if stage.train_step is not None:
            return self._own_step(seed)
        state.clear()
        total = torch.zeros((), device=self.machine.device)
        spans = self.spans(state.step)
        for n, (first, count) in enumerate(spans):
            with self.pace.waiting():
                batch = self.loader.batch(first, count, spans[n + 1] if n + 1 < len(spans) else self.after_step())
            loss = self.loss_of(batch)
            share = count / stage.batch
            state.scaler.scale(loss * share).backward()
            total += loss.detach() * share
        return total

    def _moved(self, total: Tensor) -> Tensor:
        """Move the weights along what all processes gathered; the mean loss of the whole batch."""
        state = self.state
        if self.stage.train_step is not None:
            return total
        self.ranks.add_gradients(state.network.parameters())
        self.ranks.add([total])
        if self._must_look() and not bool(torch.isfinite(total)):
            return total  # the weights stay as they are
        state.apply()
        return total

    def spans(self, step: int) -> list[Span]:
        """What this process asks for in a step: (first, count) of each micro-batch."""
        begin, own = self.part
        first = step * self.stage.batch + begin
        micro = self.micro if self.stage.train_step is None else own
        return [(first + start, min(micro, own - start)) for start in range(0, own, micro)]

    def after_step(self) -> Span | None:
        """The first span of the next step, if there is one."""
        spans = self.spans(self.state.step + 1) if self.state.step + 1 < self.plan.steps else []
        return spans[0] if spans else None

    def loss_of(self, batch: Batch) -> Tensor:
        """The sum of the stage's losses on a batch."""
        assert self.stage.loss is not None
        with self.machine.autocast():
            outputs = forward_of(self.stage, self.modules, batch)
        return sum(self.stage.loss(outputs, batch).values(), torch.zeros((), device=self.machine.device))

    def _own_step(self, seed: int) -> Tensor:
        """A step that the stage makes itself, with several optimisers, which cut it where memory asks for it."""
        stage, state = self.stage, self.state
        assert stage.train_step is not None
        with self.pace.waiting():
            batch = self.loader.batch(*self.spans(state.step)[0], self.after_step())
        generator = torch.Generator().manual_seed(seed)
        with self.machine.autocast():
            losses = stage.train_step(self.modules, state.movers, batch, generator)
        state.advance()
        return torch.stack([loss.detach() for loss in losses.values()]).sum()

    def _must_look(self) -> bool:
        """Looking at the loss makes the host wait for a GPU: there, only as often as a curve has points."""
        late = self.state.step >= self.plan.steps - 1
        return not self.machine.cuda or late or self.state.step % self._curve_every() == 0

    def _halve(self) -> None:
        self.state.clear()
        self.machine.free_memory()
        if self.micro == 1:
            self._recompute()
        else:
            self.micro = self.state.micro = self.micro // 2
            self.watch.halved(self.micro, math.ceil(self.stage.batch / self.micro))
        if self.stage.train_step is not None:
            self._go_back()  # one optimiser may have moved its weights before memory ended for another

    def _go_back(self) -> None:
        """To the last checkpoint, with the rate and the micro-batch of now."""
        found = checkpoints.load_newest(self.plan.folder, self.plan.identity)
        if found is not None:
            self.state.restore(*found, keep_rate=True)
        self.losses.clear()

    def _recompute(self) -> None:
        """The last way out: blocks that keep their input alone. Raises RunRefused (exit 4) where there is none."""
        count = recompute_blocks(self.state.network)
        if not count:
            raise no_memory("out of memory with one image at a time")
        self.state.recomputing = count
        text = (
            f"memory ended with one image at a time: {count} blocks of {self.stage.name} are computed twice from now on"
        )
        self.watch.events.warning("recomputing_for_memory", text)

    def finite(self, loss: Tensor) -> bool:
        """True for a number; else go back to the last checkpoint at half the rate. Raises RunRefused (exit 5)."""
        if not self._must_look() or bool(torch.isfinite(loss)):
            return True
        state = self.state
        state.diverged += 1
        if state.diverged >= MAX_DIVERGED:
            raise RunRefused(Exit.DIVERGED, "diverged", "the loss is not a number, also at a lower learning rate")
        state.rate_scale /= 2
        step = state.step
        self._go_back()
        self.watch.events.warning("diverged", f"the loss at step {step} is not a number; back to {state.step}")
        return False

    def set_trainable(self) -> None:
        """What of the network learns in this step."""
        plan = self.plan
        set_trainable(self.state.network, self.stage, self.state.step, plan.freeze_steps, freeze_norm=plan.freeze_norm)

    # -- what others see ----------------------------------------------------------------------------------------

    def _curve_every(self) -> int:
        return max(1, self.plan.steps // CURVE_POINTS)

    def tell(self, loss: Tensor) -> None:
        """Heartbeat and progress; a point of the loss curve every 1/60 of the plan."""
        state, events = self.state, self.watch.events
        self.watch.heartbeat.stage, self.watch.heartbeat.step = self.stage.name, state.step
        if events.progress_due():
            events.progress(**self.progress(float(loss)))
        if state.step % self._curve_every() == 0 or state.step == self.plan.steps:
            mean = float(torch.stack(self.losses).mean())
            self.losses.clear()
            values = {"loss": mean if math.isfinite(mean) else None, "lr": state.rate()}
            if self.stage.tells is not None:
                values |= self.stage.tells(self.modules)
            events.write("metric", stage=self.stage.name, step=state.step, split="train", values=values)

    def progress(self, loss: float) -> dict[str, object]:
        """The fields of a `progress` event."""
        seconds, done = time.monotonic() - self.began, self.state.step - self.first_step
        left = self.plan.steps - self.state.step
        return {
            "stage": self.stage.name,
            "step": self.state.step,
            "planned_steps": self.plan.steps,
            "epoch": round(self.state.step * self.stage.batch / self.loader.n, 2),
            "seconds": round(seconds, 1),
            "images_per_s": round(self.pace.images_per_s() or done * self.stage.batch / max(seconds, 1e-6), 1),
            "eta_s": round(left * seconds / max(done, 1)),
            "lr": self.state.rate(),
            "loss": loss if math.isfinite(loss) else None,
            "waited_for_data": self.pace.waited(),
            "gpu_mem_mb": self.machine.memory_mb,
        }

    def evaluation_due(self) -> bool:
        """Eight times in a plan, and at its end."""
        every = max(1, self.plan.steps // EVALUATIONS)
        return self.validate is not None and (self.state.step % every == 0 or self.state.step == self.plan.steps)

    def evaluate(self) -> bool:
        """Look at validation; keep the best weights. True when the stage has settled."""
        assert self.validate is not None
        state = self.state
        values = dict(self.validate(state))
        headline = values.pop("headline", None)  # one of the others once more: what stopping looks at
        self.watch.events.write("metric", stage=self.stage.name, step=state.step, split="val", values=values)
        if not self.plan.early_stopping or headline is None:
            return False
        if state.best is None or headline > state.best + MIN_DELTA:
            state.gained = state.best is not None
            state.best, state.evaluations_since_best = headline, 0
            checkpoints.save_best(
                self.plan.folder, stage=self.stage.name, step=state.step, weights=state.final_weights(),
                identity=self.plan.identity,
            )  # fmt: skip
            self.watch.events.write("checkpoint", stage=self.stage.name, step=state.step, path="best", best=True)
        else:
            state.evaluations_since_best += 1
        return self.settled()

    def settled(self) -> bool:
        """Whether the figure has stopped rising.

        One that never rose above its first value has not begun: a detector finds nothing for a while.
        """
        state = self.state
        return self.plan.early_stopping and state.gained and state.evaluations_since_best >= PATIENCE

    def checkpoint_due(self) -> bool:
        """After each epoch or 300 s, whichever comes first, but not more often than the plan allows."""
        seconds = time.monotonic() - self.saved
        per_epoch = max(1, self.loader.n // self.stage.batch)
        return seconds >= CHECKPOINT_SECONDS or (
            seconds >= self.plan.checkpoint_seconds and self.state.step - max(self.saved_step, 0) >= per_epoch
        )

    def checkpoint(self) -> None:
        """Write `last`, unless this very step is there already, or the loss since the last look is no number."""
        healthy = not self.losses or bool(torch.isfinite(torch.stack(self.losses)).all())
        if self.saved_step == self.state.step or not healthy or not self.ranks.first:
            return
        checkpoints.save(
            self.plan.folder, stage=self.stage.name, step=self.state.step, weights=self.state.all_weights(),
            state=self.state.counters(), identity=self.plan.identity,
        )  # fmt: skip
        self.state.diverged = 0
        self.saved, self.saved_step = time.monotonic(), self.state.step
        self.watch.events.write("checkpoint", stage=self.stage.name, step=self.state.step, path="last", best=False)
