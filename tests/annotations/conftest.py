"""Readers, and a clock that stands still until a test moves it."""

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import Role
from core import clock


@pytest.fixture
def reader(member):
    return member("reader1", Role.READER)


@pytest.fixture
def other(member):
    return member("reader2", Role.READER)


@pytest.fixture
def hands():
    with clock.frozen() as hands:
        yield hands


@pytest.fixture
def real_transactions(transactional_db):
    """A database that other threads see. On SQLite it is emptied row by row, which append-only tables refuse: their
    triggers are put aside for that moment."""
    yield
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
    call_command("flush", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        for _, sql in triggers:
            cursor.execute(sql)
