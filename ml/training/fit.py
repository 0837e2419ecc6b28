"""`fit`: walk the stages of a method. A finished stage is skipped, an interrupted one goes on where it stood."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.methods.spec import Aim, MethodSpec, Modules, OutOfFold, Reads, Stage
from ml.runs import atomic
from ml.runs.errors import refused
from ml.runs.request import Request
from ml.training import checkpoints
from ml.training.checkpoints import Identity, Weights, contiguous
from ml.training.data import Mixed, Recalled, Sample, SampleLoader, TrainLoader, batches_of, of_splits
from ml.training.device import Machine
from ml.training.lessons import Artefacts, StageLesson, fold_of
from ml.training.loop import Loop, Plan, Watch
from ml.training.optimisers import LAYER_DECAY, make_optimisers, trainable
from ml.training.predicting import Predictor
from ml.training.recomputing import recompute_blocks
from ml.training.sampling import key_seed
from ml.training.starting import (
    RATE_OF_CONTINUED,
    Start,
    fine_tuned,
    frozen_steps,
    load_copied,
    load_start,
    planned_steps,
    require_trunk,
    unseen,
)
from ml.training.state import TrainState
from ml.training.validating import Validation, validation_for

SMALL_BATCH = 8
MIN_BATCH = 4


@dataclass(frozen=True)
class View:
    """What a stage sees: its samples and how they are loaded."""

    samples: list[Sample]
    loader: SampleLoader


@dataclass(frozen=True)
class Job:
    """All that a training needs beside the method's record. `views` has what each `Reads` of the stages sees."""

    method: MethodSpec
    config: Any
    aim: Aim
    request: Request
    views: Mapping[int, View]
    machine: Machine
    watch: Watch
    start: Start
    identity: Identity
    run_dir: Path

    def view(self, reads: Reads) -> View:
        """The samples of these reads."""
        return self.views[id(reads)]


@dataclass(frozen=True)
class Fitted:
    """What a stage made. `report` says where its weights began and how long it took."""

    weights: Weights
    prior_shift: tuple[float, ...]
    report: dict[str, Any]


def fit(job: Job, stages: Sequence[Stage], reads: Reads) -> dict[str, Fitted]:
    """Train every stage; `reads` is what those without their own see. Raises Stopped, RunRefused."""
    require_trunk(stages, job.start)
    done: dict[str, Fitted] = {}
    modules: dict[str, nn.Module] = {}
    for n, stage in enumerate(stages):
        view = _recalling(job, stage, job.view(stage.reads or reads))
        fitted = _stage(job, stage, view, modules, n, len(stages))
        if stage.out_of_fold is not None:
            _out_of_fold(job, stage, stage.out_of_fold, view, modules, n, len(stages))
        done[stage.name] = fitted
        modules[stage.name] = finished(stage, fitted.weights, job.machine)
    return done


def blind(stage: Stage) -> bool:
    """Whether a stage learns without labels, and so from the pool, too."""
    return stage.reads is not None and not stage.reads.targets


def finished(stage: Stage, weights: Weights, machine: Machine) -> nn.Module:
    """The stage's network with its weights, at rest."""
    network = stage.build()
    network.load_state_dict(weights)
    return machine.place(network).eval().requires_grad_(False)


def _stage(job: Job, stage: Stage, view: View, earlier: Modules, index: int, of: int) -> Fitted:
    artefacts = Artefacts(job.run_dir / "artefacts")
    ranks = job.machine.ranks
    done = _read(artefacts.root / stage.name)
    ranks.meet()  # nobody finishes the stage while another still looks whether it is finished
    if done is not None:
        return done
    taken_over = stage.pretrains and job.start.continued and stage.name in job.start.weights
    fitted = None
    if ranks.first or (stage.kind == "torch" and not taken_over):
        fitted = _taken_over(stage, job.start) if taken_over else _made(job, stage, view, earlier, index, of)
    if fitted is not None and ranks.first:
        _finish(job, artefacts, stage, fitted, told=not taken_over)
    ranks.meet()
    if not ranks.first:
        fitted = _read(artefacts.root / stage.name)
    assert fitted is not None
    return fitted


def _made(job: Job, stage: Stage, view: View, earlier: Modules, index: int, of: int) -> Fitted:
    began = time.monotonic()
    make = _by_steps if stage.kind == "torch" else _by_lesson
    fitted = make(job, stage, view, earlier, index, of)
    seconds = round(time.monotonic() - began, 1)
    return replace(fitted, report={**fitted.report, "seconds": seconds})


def _finish(job: Job, artefacts: Artefacts, stage: Stage, fitted: Fitted, *, told: bool) -> None:
    _keep(artefacts.root / stage.name, fitted)
    if told:
        kept = ["weights", *artefacts.names(stage.name)]
        seconds = fitted.report["seconds"]
        job.watch.events.write("stage_finished", stage=stage.name, seconds=seconds, artefacts=kept)


def _by_lesson(job: Job, stage: Stage, view: View, earlier: Modules, index: int, of: int) -> Fitted:
    """A stage that is fitted or extracted at once."""
    assert stage.learn is not None
    torch.manual_seed(key_seed(job.request.seed, stage.name, "weights"))
    network = job.machine.place(stage.build()).eval()
    job.watch.events.write("stage_started", stage=stage.name, index=index, of=of, planned_steps=len(view.samples))
    lesson = StageLesson(
        {**earlier, stage.name: network}, job.aim, job.config, job.request.seed, stage.name,
        view.samples, view.loader, job.machine, job.watch, job.run_dir / "artefacts",
    )  # fmt: skip
    with torch.no_grad():
        stage.learn(lesson)
    return Fitted(contiguous(network.state_dict()), (), {"init": "fitted", "samples": len(view.samples)})


def _by_steps(job: Job, stage: Stage, view: View, earlier: Modules, index: int, of: int) -> Fitted:
    """A stage of gradient steps."""
    mixed = _mixed(job, stage)
    train = of_splits(view.samples, *(("train", "pool") if blind(stage) else ("train",)))
    loader = TrainLoader(train, view.loader, stage.sampler, job.request.seed, job.machine, mixed)
    if loader.n == 0:
        raise refused("no_samples", f"no training sample teaches the stage {stage.name}")
    stage = replace(stage, batch=min(stage.batch, max(MIN_BATCH, loader.n)))  # a larger one would repeat itself
    if job.machine.joins_norms and stage.train_step is None:
        # Norms that wait for each other must be asked equally often.
        stage = replace(stage, batch=job.machine.ranks.even(stage.batch))
    if job.machine.ranks.size > 1 and stage.train_step is None:
        loader.part = (stage.batch, *job.machine.ranks.part(stage.batch))
    steps = planned_steps(stage, loader.n, job.start, job.request.compute.max_steps)
    job.watch.events.write("stage_started", stage=stage.name, index=index, of=of, planned_steps=steps)
    state, report = _state(job, stage, steps, earlier)
    prior_shift = _prior_shift(job, stage, loader)
    plan, validation = _plan(job, stage, view, steps, loader.n, fine_tuned(stage, report))
    found = checkpoints.load_newest(plan.folder, job.identity)
    if found is not None:
        state.restore(*found)
    modules = {**earlier, stage.name: state.network}
    predictor = Predictor(job.method, job.config, job.aim, modules, job.machine, prior_shift, halved=job.watch.halved)
    validate = validation.bound(predictor, stage, modules) if validation else None
    loop = Loop(state, stage, loader, plan, job.machine, job.watch, validate, earlier)
    try:
        loop.run()
    finally:
        loader.close()
    best = checkpoints.load_best(plan.folder, job.identity) if plan.early_stopping else None
    report |= {"steps": state.step, "planned_steps": steps, "batch": stage.batch, "micro_batch": loop.micro}
    report |= loop.pace.report()
    if state.recomputing:
        report["recomputed_blocks"] = state.recomputing
    if job.machine.cuda:
        report["gpu_mem_mb"] = job.machine.memory_mb
    return Fitted(contiguous(best or state.final_weights()), prior_shift, report)


def _prior_shift(job: Job, stage: Stage, loader: TrainLoader) -> tuple[float, ...]:
    """What undoes a balanced draw in the logits of a classifier over the run's classes."""
    if stage.validate != "task" or job.aim.task in ("lesion_detection", "segmentation"):
        return ()
    return tuple(loader.order.prior_shift(len(job.aim.labels)))


def _recalling(job: Job, stage: Stage, view: View) -> View:
    """The view with what the stage recalls of training samples."""
    if stage.recalls is None:
        return view
    kept = Artefacts(job.run_dir / "artefacts").read(stage.recalls)
    train = of_splits(view.samples, "train")
    rows = {train[int(place)].id: row for row, place in enumerate(kept.pop("index"))}
    return replace(view, loader=replace(view.loader, recalled=Recalled(kept, rows)))


def _mixed(job: Job, stage: Stage) -> Mixed | None:
    if stage.mixes is None:
        return None
    made = Artefacts(job.run_dir / "artefacts").read(stage.mixes)
    return Mixed(made["x"], made["class"])


def _state(job: Job, stage: Stage, steps: int, earlier: Modules) -> tuple[TrainState, dict[str, Any]]:
    torch.manual_seed(key_seed(job.request.seed, stage.drawn_as or stage.name, "weights"))
    network = job.machine.place(stage.build())
    if stage.planned is not None:
        stage.planned(network, steps)
    report = load_start(network, stage, job.start)
    if job.start.lent is not None or job.start.donor is not None:
        job.watch.events.write("weights_loaded", stage=stage.name, **report)
    if not job.start.continued:
        report |= load_copied(network, stage, earlier)
    if not fine_tuned(stage, report):
        optimisers = make_optimisers(network, stage)
    else:
        stage = replace(stage, optimiser=replace(stage.optimiser, lr=stage.optimiser.lr * RATE_OF_CONTINUED))
        head_factor = 1.0 if job.start.continued else 1 / RATE_OF_CONTINUED
        optimisers = make_optimisers(network, stage, layer_decay=LAYER_DECAY, head_factor=head_factor)
    if job.request.compute.gradient_checkpointing:
        report["recomputed_blocks"] = recompute_blocks(network)
        if not report["recomputed_blocks"]:
            job.watch.events.warning("nothing_recomputed", f"{stage.name} has no blocks to compute again: memory stays")
    moving = {name for name, _ in trainable(network, stage)}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in moving)
    return TrainState(network, optimisers, stage, steps, half=job.machine.precision == "fp16"), report


def _plan(job: Job, stage: Stage, view: View, steps: int, samples: int, tuned: bool) -> tuple[Plan, Validation | None]:
    validation = None
    if stage.validate != "none" and stage.loss is not None:
        validation = validation_for(stage, job.aim, of_splits(view.samples, "val"), view.loader, job.watch)
    return Plan(
        steps=steps,
        seed=job.request.seed,
        identity=job.identity,
        folder=job.run_dir / "checkpoints" / stage.name,
        freeze_steps=frozen_steps(steps, samples, stage) if tuned else 0,
        freeze_norm=tuned and stage.batch < SMALL_BATCH,
        early_stopping=validation is not None and validation.decides,
        checkpoint_seconds=job.request.compute.checkpoint_seconds,
    ), validation


def _out_of_fold(job: Job, stage: Stage, folds: OutOfFold, view: View, earlier: Modules, index: int, of: int) -> None:
    """Train the stage without each fold of the training patients, and keep what it says of that fold."""
    artefacts = Artefacts(job.run_dir / "artefacts")
    known = "out_of_fold" in artefacts.names(stage.name)
    job.machine.ranks.meet()
    if known:
        return
    train = of_splits(view.samples, "train")
    rest = [sample for sample in view.samples if sample.split != "train"]
    values: dict[int, Tensor] = {}
    for k in range(folds.folds):
        held = [
            n for n, sample in enumerate(train) if fold_of(job.request.seed, sample.row.patient_id, folds.folds) == k
        ]
        kept = [sample for n, sample in enumerate(train) if n not in set(held)]
        if not held or not kept:
            continue
        # A copy under another name is not what predicts: it is watched by its loss.
        part = replace(
            stage, name=f"{stage.name}-fold{k}", drawn_as=stage.name, forward=_renamed(stage), out_of_fold=None,
            validate="none" if stage.validate == "none" else "loss",
        )  # fmt: skip
        fitted = _stage(replace(job, start=unseen(job.start)), part, View(kept + rest, view.loader), earlier, index, of)
        modules = {**earlier, stage.name: finished(stage, fitted.weights, job.machine)}
        batches = batches_of([train[n] for n in held], view.loader, job.machine.device, 8)
        with torch.inference_mode():
            said = torch.cat([folds.say(modules, batch).float().cpu() for batch in batches])
        values |= dict(zip(held, said, strict=True))
    if not values:
        raise refused("no_samples", f"{stage.name} is asked about patients left out: there are too few")
    order = sorted(values)
    if job.machine.ranks.first:
        artefacts.write(
            stage.name, "out_of_fold", {"values": torch.stack([values[n] for n in order]), "index": torch.tensor(order)}
        )


def _renamed(stage: Stage) -> Any:
    """The stage's way through the modules, for a copy of it under another name."""
    if stage.forward is None:
        return None
    own = stage.forward

    def forward(modules: Modules, batch: Any) -> Any:
        last = next(reversed(list(modules.values())))
        return own({**modules, stage.name: last}, batch)

    return forward


def _taken_over(stage: Stage, start: Start) -> Fitted:
    return Fitted(start.weights[stage.name], (), {"init": "continued", "steps": 0})


def _keep(folder: Path, fitted: Fitted) -> None:
    """stage.json last: a stage is finished when it is there and its hash is right."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".weights.tmp"
    save_file(fitted.weights, temporary)
    temporary.replace(folder / "weights.safetensors")
    digest = atomic.sha256_of(folder / "weights.safetensors")
    document = {"weights_sha256": digest, "prior_shift": list(fitted.prior_shift), "report": fitted.report}
    atomic.write_json(folder / "stage.json", document)


def _read(folder: Path) -> Fitted | None:
    try:
        document = json.loads((folder / "stage.json").read_text())
        if atomic.sha256_of(folder / "weights.safetensors") != document["weights_sha256"]:
            return None
    except (OSError, ValueError, KeyError):
        return None
    weights = load_file(folder / "weights.safetensors")
    return Fitted(weights, tuple(document["prior_shift"]), document["report"])
