"""One run in several processes learns as one process does with the whole batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.runs.exits import Exit
from tests.ml.training.whole.folders import ENV, ROOT, events_of, ml, weights_of


def launch(run: Path, processes: int) -> None:
    """The run by PyTorch's launcher, on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*command, "-m", "ml", "train", str(run)], env=ENV, cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def losses_of(run: Path):
    return [e["values"]["loss"] for e in events_of(run) if e["type"] == "metric" and e["split"] == "train"]


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_double_batch(a_folder):
    """Norms of groups and no dropout: what depends on the company of an image cannot be the same."""
    alike = {"steps": 4, "batch": 8, "dropout": 0.0, "norm": "gn"}
    alone, both = a_folder("alone", **alike), a_folder("both", **alike)
    assert ml(alone) == Exit.FINISHED
    launch(both, 2)
    one, other = weights_of(alone), weights_of(both)
    assert one.keys() == other.keys()
    apart = np.concatenate([np.abs(one[name] - other[name]).ravel() for name in one])
    # Without the sum of the gradients it would be 1e-3: AdamW makes of a rounding error in a gradient near 0 a step.
    assert apart.mean() < 1e-6 and apart.max() < 1e-3
    # One process wrote: a sequence without a gap, one start, one end, and nothing in a second hand.
    events = events_of(both)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("started") == 1 and events[-1]["type"] == "finished"
    assert {event["type"] for event in events_of(alone)} == {event["type"] for event in events}
    np.testing.assert_allclose(losses_of(alone), losses_of(both), rtol=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_train_as_one_with_the_double_batch_and_their_norms_see_all_of_it(a_folder):
    alike = {"steps": 4, "batch": 8, "dropout": 0.0, "norm": "bn", "device": "cuda"}
    alone, both = a_folder("alone", **alike), a_folder("both", **alike)
    assert ml(alone) == Exit.FINISHED
    launch(both, 2)
    # Half precision sums in another order; a norm that saw half of the batch would be off by tenths.
    np.testing.assert_allclose(losses_of(alone), losses_of(both), rtol=2e-2)
