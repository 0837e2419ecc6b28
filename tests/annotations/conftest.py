"""Readers, and a clock that stands still until a test moves it."""

import pytest

from accounts.models import Role
from core import clock


@pytest.fixture
def other(member):
    return member("reader2", Role.READER)


@pytest.fixture
def hands():
    with clock.frozen() as hands:
        yield hands
