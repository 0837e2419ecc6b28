"""A project with complete readings, ready to be frozen."""

import pytest

from accounts.models import Role
from tests.exchange import factories


@pytest.fixture
def researcher(member):
    return member("researcher1", Role.RESEARCHER)


@pytest.fixture
def read_project(project, reader):
    """Three exams read: a marked mass, a calcification that nobody marked, a normal one."""
    factories.read(project, reader, "one", split="train", density="b", findings=[("mass", [(300.5, 400.25, 20.0)])])
    factories.read(project, reader, "two", split="val", density="c", findings=[("calcification", [])])
    factories.read(project, reader, "three", split="test", density="a")
    return project
