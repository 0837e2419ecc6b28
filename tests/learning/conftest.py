"""A project with a frozen snapshot, a finished run beside it, and versions that may rank."""

import pytest

from exchange import services as exchange
from jobs.testing import run_queued
from tests.exchange import factories as exams
from tests.learning import factories


@pytest.fixture
def read_project(project, reader):
    """Four exams read: enough for either method; and three training exams that wait."""
    exams.read(project, reader, "one", density="b", findings=[("mass", [(300.5, 400.25, 20.0)])])
    exams.read(
        project, reader, "two", density="c", findings=[("mass", [(500, 500, 40)]), ("calcification", [(9, 9, 3)])]
    )
    for name, density in (("three", "a"), ("four", "b")):
        exams.read(project, reader, name, density=density)
    exams.read(project, reader, "five", split="val", density="b")
    exams.read(project, reader, "six", split="test", density="c", findings=[("mass", [(100, 100, 30)])])
    return project


@pytest.fixture
def snapshot(read_project, admin):
    made = exchange.order_snapshot(read_project, references=False, note="", by=admin)
    run_queued()
    made.refresh_from_db()
    return made


@pytest.fixture
def pool(read_project):
    """Unread training exams."""
    return [exams.an_exam(read_project, f"unread-{number}") for number in range(5)]


@pytest.fixture
def density_version(snapshot, admin, var_dir):
    return factories.a_version(snapshot, admin, method="dcse_resnet50")


@pytest.fixture
def lesion_version(snapshot, admin, var_dir):
    return factories.a_version(snapshot, admin, method="retinanet_mass")
