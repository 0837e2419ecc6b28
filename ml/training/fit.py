"""`fit`: walk the stages of a method. A finished stage is skipped, an interrupted one goes on where it stood."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from ml.methods.spec import MethodSpec, Stage
from ml.runs import atomic
from ml.runs.request import Request
from ml.training import checkpoints
from ml.training.checkpoints import Identity, Weights, contiguous
from ml.training.data import ImageLoader, Sample, TrainLoader, of_splits
from ml.training.device import Machine
from ml.training.loop import Loop, Plan, Watch
from ml.training.optimisers import LAYER_DECAY, make_optimiser
from ml.training.predicting import Predictor
from ml.training.sampling import key_seed
from ml.training.starting import RATE_OF_CONTINUED, Start, frozen_steps, load_start, planned_steps
from ml.training.state import TrainState
from ml.training.validating import Validation, validation_for

SMALL_BATCH = 8
MIN_BATCH = 4


@dataclass(frozen=True)
class Job:
    """All that a training needs beside the method's record."""

    method: MethodSpec
    config: Any
    labels: tuple[str, ...]
    request: Request
    samples: list[Sample]
    loader: ImageLoader
    machine: Machine
    watch: Watch
    start: Start
    identity: Identity
    run_dir: Path
    workers: int


@dataclass(frozen=True)
class Fitted:
    """What a stage made. `report` says where its weights began and how long it took."""

    weights: Weights
    prior_shift: tuple[float, ...]
    report: dict[str, Any]


def fit(job: Job) -> dict[str, Fitted]:
    """Train every stage. Raises Stopped, RunRefused."""
    stages = job.method.stages(job.config, job.labels)
    return {stage.name: _stage(job, stage, n, len(stages)) for n, stage in enumerate(stages)}


def _stage(job: Job, stage: Stage, index: int, of: int) -> Fitted:
    artefacts = job.run_dir / "artefacts" / stage.name
    if (done := _finished(artefacts)) is not None:
        return done
    began = time.monotonic()
    train = of_splits(job.samples, "train")
    loader = TrainLoader(train, job.loader, stage.sampler, job.request.seed, job.machine, job.workers)
    stage = replace(stage, batch=min(stage.batch, max(MIN_BATCH, loader.n)))  # a larger one would repeat itself
    steps = planned_steps(stage, loader.n, job.start)
    job.watch.events.write("stage_started", stage=stage.name, index=index, of=of, planned_steps=steps)
    state, report = _state(job, stage, steps)
    plan, validation = _plan(job, stage, steps, loader.n)
    found = checkpoints.load_newest(plan.folder, job.identity)
    if found is not None:
        state.restore(*found)
    prior_shift = tuple(loader.order.prior_shift(len(job.labels)) if job.method.task == "density" else ())
    predictor = Predictor(job.method, job.config, state.network, job.machine, prior_shift)
    validate = validation.bound(predictor) if validation else None
    loop = Loop(state, stage, loader, plan, job.machine, job.watch, validate)
    try:
        loop.run()
    finally:
        loader.close()
    best = checkpoints.load_best(plan.folder, job.identity) if plan.early_stopping else None
    seconds = round(time.monotonic() - began, 1)
    report |= {"steps": state.step, "planned_steps": steps, "batch": stage.batch, "micro_batch": loop.micro}
    fitted = Fitted(contiguous(best or state.final_weights()), prior_shift, {**report, "seconds": seconds})
    _keep(artefacts, fitted)
    job.watch.events.write("stage_finished", stage=stage.name, seconds=seconds, artefacts=["weights"])
    return fitted


def _state(job: Job, stage: Stage, steps: int) -> tuple[TrainState, dict[str, Any]]:
    import torch

    torch.manual_seed(key_seed(job.request.seed, stage.name, "weights"))
    network = job.machine.place(stage.build())
    report = load_start(network, stage, job.start)
    if job.start.donor is None:
        optimiser = make_optimiser(network, stage)
    else:
        stage = replace(stage, optimiser=replace(stage.optimiser, lr=stage.optimiser.lr * RATE_OF_CONTINUED))
        head_factor = 1.0 if job.start.continued else 1 / RATE_OF_CONTINUED
        optimiser = make_optimiser(network, stage, layer_decay=LAYER_DECAY, head_factor=head_factor)
    return TrainState(network, optimiser, stage, steps, half=job.machine.precision == "fp16"), report


def _plan(job: Job, stage: Stage, steps: int, samples: int) -> tuple[Plan, Validation | None]:
    validation = validation_for(job.method.task, of_splits(job.samples, "val"), job.loader, job.labels, job.watch)
    return Plan(
        steps=steps,
        seed=job.request.seed,
        identity=job.identity,
        folder=job.run_dir / "checkpoints" / stage.name,
        freeze_steps=frozen_steps(steps, samples, stage, job.start),
        freeze_norm=job.start.donor is not None and stage.batch < SMALL_BATCH,
        early_stopping=validation is not None and validation.decides,
        checkpoint_seconds=job.request.compute.checkpoint_seconds,
    ), validation


def _keep(artefacts: Path, fitted: Fitted) -> None:
    def fill(fresh: Path) -> None:
        save_file(fitted.weights, fresh / "weights.safetensors")
        digest = atomic.sha256_of(fresh / "weights.safetensors")
        document = {"weights_sha256": digest, "prior_shift": list(fitted.prior_shift), "report": fitted.report}
        (fresh / "stage.json").write_text(json.dumps(document))

    artefacts.parent.mkdir(exist_ok=True)
    atomic.replace_folder(artefacts, fill)


def _finished(artefacts: Path) -> Fitted | None:
    path = atomic.settled(artefacts)
    try:
        document = json.loads((path / "stage.json").read_text())
        if atomic.sha256_of(path / "weights.safetensors") != document["weights_sha256"]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    weights = load_file(path / "weights.safetensors")
    return Fitted(weights, tuple(document["prior_shift"]), document["report"])
