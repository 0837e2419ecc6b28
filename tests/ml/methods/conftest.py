"""Batches of noise with labels, as a stage's loss takes them."""

import pytest
import torch

from ml.methods import get
from ml.methods.spec import Batch


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def a_batch():
    def make(method, config, *, n=2, seed=0, side=96):
        generator = torch.Generator().manual_seed(seed)
        views = len(method.inputs_of(config).views) or 1
        x = torch.rand(n, views, 1, side, side, generator=generator)
        if method.task == "density":
            targets = {"density": torch.eye(4)[torch.randint(4, (n,), generator=generator)]}
        else:
            targets = {
                "boxes": [torch.tensor([[20.0, 24.0, 52.0, 60.0]]) for _ in range(n)],
                "labels": [torch.tensor([k % 4]) for k in range(n)],
                "ignore": [torch.zeros(0, 4) for _ in range(n)],
                "complete": torch.ones(n, dtype=torch.bool),
            }
        return Batch(
            x=x,
            view_mask=torch.ones(n, views, dtype=torch.bool),
            valid=torch.ones(n, views, 1, side, side, dtype=torch.bool),
            targets=targets,
            ids=tuple(map(str, range(n))),
        )

    return make


@pytest.fixture
def a_stage():
    def make(name, size="tiny", findings=(), **config):
        method = get(name)
        settled = method.plan(method.configured(size, config), [])
        (stage,) = method.stages(settled, method.labels(findings))
        return method, settled, stage

    return make
