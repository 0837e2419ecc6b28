"""What a CPU cannot show: every method on a CUDA device, in full and in half precision. Skipped where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.runs.cancel import StopRequest
from ml.runs.events import EventWriter, read_events
from ml.runs.heartbeat import Heartbeat
from ml.runs.request import Compute, Request
from ml.training.checkpoints import Identity
from ml.training.device import machine_for
from ml.training.fit import Job, View, fit
from ml.training.loop import Watch
from ml.training.starting import Start
from tests.ml.methods.test_every_method import CASES, gradient_stages, loss_of
from tests.ml.methods.world import CPU, tried

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
each = pytest.mark.parametrize(("name", "task"), CASES)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@each
def test_a_method_goes_the_whole_way_on_a_gpu(name, task, precision, world, tmp_path):
    tried(tmp_path / "run", *world, name, task, Compute(device="cuda", precision=precision, max_steps=2))


@each
def test_a_loss_and_its_gradients_are_those_of_a_cpu(name, task, a_setup, monkeypatch):
    """Both in full precision. Weights, batch and dropout are the same; what is left is the order of additions."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    setup = a_setup(name, task=task)
    gpu = machine_for(Compute(device="cuda", precision="fp32"))
    for stage in gradient_stages(setup):
        torch.manual_seed(0)
        modules = {own: module.eval() for own, module in setup.modules().items()}
        batch = setup.batch(n=4, reads=stage.reads)
        # Nothing is flat: where neighbours are equal, the largest of them is either.
        batch = replace(batch, x=(batch.x + 0.02 * torch.rand(batch.x.shape)).clamp(0, 1))
        if draws(stage, modules, batch):
            continue  # from another generator on another device
        told = []
        for machine in (CPU, gpu):
            moved = {own: machine.place(module) for own, module in modules.items()}
            network = moved[stage.name]
            network.zero_grad()
            torch.manual_seed(1)
            loss = loss_of(stage, moved, on(batch, machine.device))
            loss.backward()
            gradients = {n: p.grad.float().cpu().clone() for n, p in network.named_parameters() if p.grad is not None}
            told.append((loss.item(), gradients))
        (loss, gradients), (there, others) = told
        assert there == pytest.approx(loss, rel=1e-3, abs=1e-4), stage.name
        assert gradients.keys() == others.keys()
        whole, apart = (
            np.sqrt(sum(float(v.square().sum()) for v in vs))
            for vs in (gradients.values(), [gradients[n] - others[n] for n in gradients])
        )
        assert apart <= 1e-2 * whole + 1e-5, (stage.name, apart / max(whole, 1e-12))


def draws(stage, modules, batch):
    """Whether a stage's loss depends on random numbers that it draws itself."""
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        losses.append(loss_of(stage, modules, batch).item())
    return losses[0] != losses[1]


def on(batch, device):
    """The batch on a device, as `collate` would have put it there."""

    def to(value):
        return [each.to(device) for each in value] if isinstance(value, list) else value.to(device)

    return replace(
        batch, x=batch.x.to(device), view_mask=batch.view_mask.to(device), valid=batch.valid.to(device),
        breast=batch.breast.to(device), mm_per_px=batch.mm_per_px.to(device),
        targets={name: to(value) for name, value in batch.targets.items()},
    )  # fmt: skip


@pytest.fixture
def a_job(a_setup, tmp_path):
    """a_job(name, compute, **config): a training on the world; its events are in tmp_path/run."""

    def make(name, compute, **config):
        setup = a_setup(name, **config)
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        views = {}
        for reads in {id(r): r for r in [setup.reads, *(s.reads for s in setup.stages if s.reads)]}.values():
            views[id(reads)] = View(*setup.view(reads))
        watch = Watch(EventWriter(folder / "events.jsonl"), Heartbeat(folder), StopRequest(folder))
        job = Job(
            setup.method, setup.config, setup.aim, Request(run_id="r", method=name, compute=compute), views,
            machine_for(compute), watch, Start(), Identity("a", "b"), folder,
        )  # fmt: skip
        return job, setup

    return make


def told(job, kind):
    return [event for event in read_events(job.run_dir / "events.jsonl")[0] if event["type"] == kind]


def test_the_end_of_a_gpus_memory_halves_the_batch_and_says_so(a_job):
    job, setup = a_job("dcse_resnet50", Compute(device="cuda", precision="fp32", max_steps=3), batch=24, input_px=512)
    whole = replace(job, run_dir=job.run_dir / "whole")
    whole.run_dir.mkdir()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    fit(whole, setup.stages, setup.reads)
    needed, (_, total) = torch.cuda.max_memory_reserved(), torch.cuda.mem_get_info()
    torch.cuda.empty_cache()
    try:
        torch.cuda.set_per_process_memory_fraction(0.6 * needed / total)
        fitted = fit(job, setup.stages, setup.reads)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    (event, *_) = told(job, "resource")
    assert event["what"] == "oom_halved" and event["batch"] < 24
    assert fitted["main"].report["micro_batch"] < 24 and fitted["main"].report["steps"] == 3


def test_blocks_computed_again_take_less_of_a_gpus_memory(a_job):
    peak = []
    for again in (False, True):
        compute = Compute(device="cuda", precision="fp32", max_steps=2, gradient_checkpointing=again)
        job, setup = a_job("dcse_resnet50", compute, batch=16, input_px=448, width=64)
        job = replace(job, run_dir=job.run_dir / str(again))
        job.run_dir.mkdir()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        fit(job, setup.stages, setup.reads)
        peak.append(torch.cuda.max_memory_allocated())
    assert peak[1] < 0.8 * peak[0]


def test_a_stage_says_how_fast_it_went_and_how_long_it_waited(a_job):
    job, setup = a_job("dcse_resnet50", Compute(device="cuda", max_steps=12))
    report = fit(job, setup.stages, setup.reads)["main"].report
    assert report["images_per_s"] > 0 and 0 <= report["waited_for_data"] <= 1 and report["gpu_mem_mb"] > 0
