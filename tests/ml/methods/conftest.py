"""Methods settled on a small world, and batches of it as the loop would load them."""

import pytest
import torch

from tests.ml.methods import world as small


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return small.world(folder), folder


@pytest.fixture
def a_setup(world):
    """a_setup(name, size="tiny", task=None, target=None, findings=(), **config) -> world.Setup."""

    def make(name, size="tiny", **options):
        return small.settled(*world, name, size, **options)

    return make


@pytest.fixture
def a_stage(a_setup):
    """(method, config, first stage) of a method settled on the world."""

    def make(name, size="tiny", findings=(), **config):
        setup = a_setup(name, size, findings=findings, **config)
        return setup.method, setup.config, setup.stages[0]

    return make


@pytest.fixture(scope="session")
def trained(world, tmp_path_factory):
    """The run folder of a training of two steps a stage, once for each (method, task) of the session."""
    done = {}

    def make(name, task):
        if (name, task) not in done:
            done[name, task] = small.tried(tmp_path_factory.mktemp(f"{name}-{task}") / "run", *world, name, task)
        return done[name, task]

    return make
