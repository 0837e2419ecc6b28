"""A run folder for each test; the process as it was before."""

import signal

import pytest
import torch

from ml.runs.manifest import write_manifest
from ml.runs.request import Compute, EvaluationOptions, Init, Request, write_request
from tests.ml.training.whole.folders import row


@pytest.fixture
def a_folder(tmp_path):
    pixels = tmp_path / "pixels"
    pixels.mkdir()

    def make(name, method="dcse_resnet50", command="train", init=None, change=None, device="cpu", **config):
        run = tmp_path / name
        run.mkdir()
        splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 4 + ["pool"] * 4
        rows = [row(n, pixels, split) for n, split in enumerate(splits)]
        write_manifest(run, change(rows) if change else rows, pixels_root=pixels)
        request = Request(
            run_id=name, command=command, method=method, config={"steps": 6, "batch": 4, **config},
            pixels={"cache_dir": str(tmp_path / "cache")}, init=init or Init(),
            evaluation=EvaluationOptions(bootstrap=20),
            compute=Compute(device=device, deterministic=True, checkpoint_seconds=0.0),
        )  # fmt: skip
        write_request(run, request)
        return run

    return make


@pytest.fixture(autouse=True)
def as_before():
    """A run takes the process's signals and torch's switches; here it must give them back."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    torch.use_deterministic_algorithms(False)
