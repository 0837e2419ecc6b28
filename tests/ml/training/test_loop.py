"""The loop on synthetic pictures: it learns, resumes bit for bit, and says what happens."""

import math
from dataclasses import dataclass, replace

import pytest
import torch

from ml.methods.spec import Optimiser, Reads
from ml.runs.cancel import Stopped, StopRequest
from ml.runs.errors import RunRefused
from ml.runs.events import EventWriter, read_events
from ml.runs.exits import Exit
from ml.runs.heartbeat import Heartbeat
from ml.runs.request import Compute, Init, Request
from ml.training.checkpoints import Identity, load_newest
from ml.training.data import SampleLoader, TrainLoader, of_splits
from ml.training.device import machine_for
from ml.training.fit import Job, View
from ml.training.fit import fit as fit_stages
from ml.training.loop import Loop, Plan, Watch
from ml.training.optimisers import make_optimisers
from ml.training.recomputing import recompute_blocks
from ml.training.samples import build_samples
from ml.training.starting import Start
from ml.training.state import TrainState

CPU = machine_for(Compute(device="cpu"))


@dataclass(frozen=True)
class TrialJob(Job):
    """A job with the stages that belong to it."""

    stages: tuple
    reads: Reads


def fit(job):
    return fit_stages(job, job.stages, job.reads)


class CountedStop(StopRequest):
    """Asks to end after some checks, as a person would at any moment."""

    def __init__(self, run_dir, after):
        super().__init__(run_dir)
        self.left = after

    def check(self):
        self.left -= 1
        if self.left < 0:
            raise Stopped(Exit.CANCELLED, "enough")
        super().check()


@pytest.fixture
def a_job(tmp_path, a_row, images, settle):
    def make(name="dcse_resnet50", folder="run", stop=None, rows=None, **config):
        run_dir = tmp_path / folder
        run_dir.mkdir(exist_ok=True)
        rows = rows or [a_row(n, density="ABCD"[n % 4]) for n in range(16)]
        method, settled, aim, reads, stages = settle(name, rows, **{"steps": 6, "batch": 8, **config})
        samples, _ = build_samples(rows, reads, aim, images)
        request = Request(run_id="r", method=name, compute=Compute(device="cpu", checkpoint_seconds=0.0), init=Init())
        watch = Watch(EventWriter(run_dir / "events.jsonl"), Heartbeat(run_dir), stop or StopRequest(run_dir))
        view = View(samples, SampleLoader(images, reads, aim, settled))
        return TrialJob(
            method=method, config=settled, aim=aim, request=request, views={id(reads): view}, machine=CPU, watch=watch,
            start=Start(), identity=Identity("a", "b"), run_dir=run_dir, stages=stages, reads=reads,
        )  # fmt: skip

    return make


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_cancelled_and_resumed_run_ends_with_the_weights_it_would_have_had(a_job, tmp_path):
    straight = fit(a_job(folder="straight"))["main"].weights
    with pytest.raises(Stopped):
        fit(a_job(folder="torn", stop=CountedStop(tmp_path, 4)))
    step, _, _ = load_newest(tmp_path / "torn" / "checkpoints" / "main", Identity("a", "b"))
    assert 0 < step < 6
    assert same(fit(a_job(folder="torn"))["main"].weights, straight)


def test_a_stage_says_how_fast_it_went_and_how_much_of_its_time_it_waited_for_data(a_job):
    report = fit(a_job())["main"].report
    assert report["images_per_s"] > 0 and 0 < report["waited_for_data"] < 1


def test_the_first_steps_do_not_count(a_job):
    assert "images_per_s" not in fit(a_job(steps=3))["main"].report


def test_a_finished_stage_is_not_trained_again(a_job):
    first = fit(a_job())["main"].weights
    job = a_job()
    assert same(fit(job)["main"].weights, first)
    assert sum(event["type"] == "stage_started" for event in read_events(job.run_dir / "events.jsonl")[0]) == 1


def test_a_checkpoint_of_another_request_is_refused(a_job, tmp_path):
    with pytest.raises(Stopped):
        fit(a_job(stop=CountedStop(tmp_path, 4)))
    with pytest.raises(RunRefused) as error:
        fit(replace(a_job(), identity=Identity("other", "b")))
    assert error.value.code == "changed_inputs"


def test_another_seed_gives_other_weights(a_job):
    job = a_job(folder="b")
    other = replace(job, request=replace(job.request, seed=1))
    assert not same(fit(a_job(folder="a"))["main"].weights, fit(other)["main"].weights)


def test_the_density_model_learns_what_brightness_says(a_job):
    job = a_job(steps=60, lr=3e-3, smoothing=0.0, dropout=0.0)
    fit(job)
    events, _ = read_events(job.run_dir / "events.jsonl")
    losses = [e["values"]["loss"] for e in events if e["type"] == "metric" and e["split"] == "train"]
    assert len(losses) >= 30  # a curve, not a point
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


def test_the_lesion_model_learns_from_marks(a_job, a_row):
    rows = [a_row(n, box=(20, 16, 44, 40) if n % 2 else None) for n in range(8)]
    job = a_job("retinanet_mass", rows=rows, steps=12, batch=4)
    fit(job)
    events, _ = read_events(job.run_dir / "events.jsonl")
    losses = [e["values"]["loss"] for e in events if e["type"] == "metric" and e["split"] == "train"]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


def test_validation_is_drawn_while_training_and_too_small_a_one_decides_nothing(a_job, a_row):
    rows = [a_row(n, split="val" if n > 11 else "train", density="ABCD"[n % 4]) for n in range(16)]
    job = a_job(rows=rows)
    fit(job)
    events, _ = read_events(job.run_dir / "events.jsonl")
    shown = [event for event in events if event["type"] == "metric" and event["split"] == "val"]
    assert set(shown[-1]["values"]) == {"loss", "qwk", "accuracy"}
    assert any(event.get("code") == "val_too_small" for event in events)


@pytest.fixture
def a_loop(a_job):
    def make(
        stage_change=None, micro=None, steps=4, folder="run", stop=None, machine=CPU, resumed=False, validate=None
    ):
        job = a_job(folder=folder, stop=stop)
        (stage,) = job.stages
        stage = replace(stage, **(stage_change or {}))
        torch.manual_seed(0)
        network = stage.build()
        half = machine.precision == "fp16"
        state = TrainState(network, make_optimisers(network, stage), stage, steps, half=half)
        (view,) = job.views.values()
        loader = TrainLoader(of_splits(view.samples, "train"), view.loader, stage.sampler, 0, CPU)
        plan = Plan(
            steps=steps, seed=0, identity=job.identity, folder=job.run_dir / "checkpoints" / "main", micro=micro,
            early_stopping=validate is not None,
        )  # fmt: skip
        if resumed:
            state.restore(*load_newest(plan.folder, plan.identity))
        return Loop(state, stage, loader, plan, machine, job.watch, validate)

    return make


def figure(of_step):
    """A validation whose figure is a function of the step."""
    return lambda state: {"auc": of_step(state.step), "headline": of_step(state.step)}


@pytest.mark.parametrize(
    ("of_step", "ends"),
    [
        (lambda step: min(step, 6) / 10, 12),  # looks at 2, 4, 6 rise; 8, 10 and 12 do not
        (lambda step: step / 100, 16),
        (lambda step: 0.0, 16),  # has not begun to learn
        (lambda step: 0.0 if step < 12 else 0.5, 16),
        (lambda step: -step, 16),
    ],
)
def test_a_stage_ends_when_its_figure_has_risen_and_stays(a_loop, of_step, ends):
    loop = a_loop(steps=16, validate=figure(of_step))
    loop.run()
    assert loop.state.step == ends


def test_a_run_killed_after_its_last_look_does_not_train_on(a_loop):
    """The checkpoint of the end is there, the stage's record is not yet."""
    plateau = figure(lambda step: min(step, 6) / 10)
    first = a_loop(steps=16, validate=plateau)
    first.run()
    again = a_loop(steps=16, validate=plateau, resumed=True)
    again.run()
    assert again.state.step == first.state.step == 12
    assert same(again.state.network.state_dict(), first.state.network.state_dict())


def end_of_main_memory():
    torch.empty(2**46)  # a quarter of a petabyte: PyTorch's own allocator refuses


def end_of_memory():
    raise MemoryError


def end_of_gpu_memory():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def with_small_memory(loop, holds, end=end_of_memory):
    """The loop on a machine that holds so many samples at once."""
    build = loop.loader.batch

    def small_memory(first, count, then=None):
        if count > holds:
            end()
        return build(first, count, then)

    loop.loader.batch = small_memory
    return loop


def resources_of(loop):
    events, _ = read_events(loop.plan.folder.parents[1] / "events.jsonl")
    return [(e["what"], e["batch"], e["accumulate"]) for e in events if e["type"] == "resource"]


@pytest.mark.parametrize("end", [end_of_memory, end_of_main_memory, end_of_gpu_memory])
def test_out_of_memory_halves_the_micro_batch_says_so_and_goes_on(a_loop, end):
    loop = with_small_memory(a_loop(steps=2), 2, end)
    loop.run()
    assert resources_of(loop) == [("oom_halved", 4, 2), ("oom_halved", 2, 4)]
    assert loop.state.step == 2


def test_a_step_that_is_too_large_on_its_way_is_done_again_in_parts(a_loop):
    """The end comes in the midst of the network, after half of the gradients are there."""
    loop = a_loop(steps=2, stage_change={"loss": lambda outputs, batch: {"sum": outputs["logits"].square().sum() / 8}})
    loss_of, calls = loop.loss_of, []

    def heavy(batch):
        calls.append(len(batch.ids))
        loss = loss_of(batch)
        if len(calls) == 1 or (len(batch.ids) == 4 and len(calls) == 3):
            end_of_main_memory()
        return loss

    loop.loss_of = heavy
    loop.run()
    assert calls == [8, 4, 4, *[2] * 8] and loop.state.step == 2


def with_memory_for_blocks_alone(loop):
    """The loop on a machine that holds one sample, and only while what blocks compute is forgotten."""
    loss_of = loop.loss_of

    def small_memory(batch):
        if len(batch.ids) > 1 or not loop.state.recomputing:
            end_of_memory()
        return loss_of(batch)

    loop.loss_of = small_memory
    return loop


def test_out_of_memory_with_one_image_lets_blocks_be_computed_twice_says_so_and_goes_on(a_loop):
    loop = with_memory_for_blocks_alone(a_loop(steps=2))
    loop.run()
    assert (loop.state.step, loop.micro, loop.state.recomputing) == (2, 1, 4)
    events, _ = read_events(loop.plan.folder.parents[1] / "events.jsonl")
    assert [event["code"] for event in events if event["type"] == "warning"] == ["recomputing_for_memory"]
    plain = a_loop(micro=1, steps=2, folder="plain")
    plain.run()
    assert same(loop.state.network.state_dict(), plain.state.network.state_dict())


def test_a_run_whose_blocks_are_computed_twice_resumes_so(a_loop, tmp_path):
    torn = with_memory_for_blocks_alone(a_loop(folder="torn", stop=CountedStop(tmp_path, 2)))
    with pytest.raises(Stopped):
        torn.run()
    again = with_memory_for_blocks_alone(a_loop(folder="torn", resumed=True))
    assert (again.state.step, again.micro, again.state.recomputing) == (2, 1, 4)
    assert recompute_blocks(again.state.network) == 0, "all are so already"
    again.run()
    straight = a_loop(micro=1, folder="straight")
    straight.run()
    assert same(again.state.network.state_dict(), straight.state.network.state_dict())


def test_a_run_that_had_to_take_fewer_samples_resumes_with_as_many_to_the_same_weights(a_loop, tmp_path):
    straight = with_small_memory(a_loop(folder="straight"), 2)
    straight.run()
    torn = with_small_memory(a_loop(folder="torn", stop=CountedStop(tmp_path, 2)), 2)
    with pytest.raises(Stopped):
        torn.run()
    again = a_loop(folder="torn", resumed=True)
    assert (again.state.step, again.micro) == (2, 2)
    again.run()
    assert same(again.state.network.state_dict(), straight.state.network.state_dict())


def test_a_rehearsal_finds_what_memory_holds_and_leaves_no_trace(a_loop):
    """Where norms of several GPUs wait for each other, a step must not fail on one of them."""
    loop = with_small_memory(a_loop(steps=2), 2)
    before = {name: value.clone() for name, value in loop.state.network.state_dict().items()}
    loop.rehearse()
    assert same(loop.state.network.state_dict(), before) and loop.micro == 2
    assert all(parameter.grad is None for parameter in loop.state.network.parameters())
    loop.run()
    plain = a_loop(micro=2, steps=2)
    plain.run()
    assert same(loop.state.network.state_dict(), plain.state.network.state_dict())


def test_where_norms_wait_for_other_gpus_a_failed_step_ends_the_run_instead_of_hanging_it(a_loop):
    loop = with_small_memory(a_loop(), 2)
    loop.joined = True
    with pytest.raises(RunRefused) as error:
        loop.step()
    assert error.value.exit == Exit.OUT_OF_MEMORY and "other GPUs" in error.value.text


def test_out_of_memory_with_one_image_and_blocks_computed_twice_ends_the_run(a_loop):
    loop = with_small_memory(a_loop(), 0)
    with pytest.raises(RunRefused) as error:
        loop.run()
    assert error.value.exit == Exit.OUT_OF_MEMORY


def steps_of_its_own(holds, sizes):
    """A change to a stage: two moves a step, on a machine that holds so many samples at once for the second alone."""

    def step(modules, movers, batch, generator):
        weights = list(modules["main"].parameters())

        def loss_of(part, most):
            if part.stop - part.start > most:
                end_of_memory()
            sizes.append(part.stop - part.start)
            return sum(own.square().sum() for own in weights) * (1 + batch.x[part].mean())

        first = movers[""].move(len(batch.ids), lambda part: loss_of(part, len(batch.ids)))
        second = movers[""].move(len(batch.ids), lambda part: loss_of(part, holds))
        return {"first": first, "second": second}

    return {"train_step": step, "optimisers": {"": Optimiser(kind="sgd", lr=1e-3)}, "validate": "none"}


def test_a_stage_that_steps_by_itself_takes_back_what_had_moved_when_memory_ended_and_goes_on_in_parts(a_loop):
    sizes = []
    loop = a_loop(steps_of_its_own(4, sizes), steps=2)
    loop.run()
    assert sizes == [8, *[4] * 8] and (loop.state.step, loop.micro) == (2, 4)
    assert resources_of(loop) == [("oom_halved", 4, 2)]
    plain = a_loop(steps_of_its_own(8, []), steps=2, folder="plain")
    plain.state.micro = 4
    plain.run()
    assert same(loop.state.network.state_dict(), plain.state.network.state_dict())


def test_a_stage_that_steps_by_itself_ends_where_memory_holds_no_sample(a_loop):
    with pytest.raises(RunRefused) as error:
        a_loop(steps_of_its_own(0, []), steps=2).run()
    assert error.value.exit == Exit.OUT_OF_MEMORY


def test_a_loss_that_is_no_number_ends_the_run_after_three_tries(a_loop):
    loop = a_loop({"loss": lambda outputs, batch: {"nan": outputs["logits"].sum() * float("nan")}})
    with pytest.raises(RunRefused) as error:
        loop.run()
    assert error.value.exit == Exit.DIVERGED
    assert loop.state.rate_scale == 0.25


def test_accumulated_micro_batches_give_the_gradient_of_the_whole_batch(a_loop):
    """Without batch norm in train mode and without dropout, eight at once and four times two are the same step."""

    def weights(micro):
        loop = a_loop(micro=micro, steps=1)
        loop.set_trainable = loop.state.network.eval
        loop.run()
        return loop.state.network.state_dict()

    whole, parts = weights(8), weights(2)
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], atol=3e-3, rtol=1e-3)


def steep(outputs, batch):
    """A loss whose gradients leave half floats at the scale that a scaler begins with."""
    return {"steep": 4.0 * outputs["logits"].float().square().mean()}


@pytest.mark.slow
def test_half_floats_resume_bit_for_bit_with_the_scale_that_their_gradients_had_found(a_loop, tmp_path):
    half = machine_for(Compute(device="cpu", precision="fp16"))
    straight = a_loop({"loss": steep}, folder="straight", machine=half, steps=5)
    first = {name: value.clone() for name, value in straight.state.network.state_dict().items()}
    straight.run()
    torn = a_loop({"loss": steep}, folder="torn", machine=half, steps=5, stop=CountedStop(tmp_path, 3))
    with pytest.raises(Stopped):
        torn.run()
    again = a_loop({"loss": steep}, folder="torn", machine=half, steps=5, resumed=True)
    scale = again.state.scaler.get_scale()
    assert scale == torn.state.scaler.get_scale() < 65536.0
    again.run()
    assert same(again.state.network.state_dict(), straight.state.network.state_dict())
    assert again.state.scaler.state_dict() == straight.state.scaler.state_dict()
    weights = {name for name, _ in again.state.network.named_parameters()}
    moved = {name: value for name, value in again.state.network.state_dict().items() if name in weights}
    assert not any(torch.equal(value, first[name]) or value.dtype != torch.float32 for name, value in moved.items())


def test_a_run_of_another_precision_goes_on_in_half_floats_with_a_new_scale(a_loop):
    a_loop().checkpoint()
    half = machine_for(Compute(device="cpu", precision="fp16"))
    again = a_loop(machine=half, resumed=True)
    again.step()
    assert again.state.step == 1 and again.state.scaler.get_scale() > 0


def with_checkpointing(job):
    compute = replace(job.request.compute, gradient_checkpointing=True)
    return replace(job, request=replace(job.request, compute=compute))


def test_gradient_checkpointing_ends_with_the_same_weights_dropout_and_norms_included(a_job):
    plain = fit(a_job(folder="plain", dropout=0.5))["main"]
    again = fit(with_checkpointing(a_job(folder="again", dropout=0.5)))["main"]
    assert again.report["recomputed_blocks"] == 4 and "recomputed_blocks" not in plain.report
    assert same(again.weights, plain.weights)
