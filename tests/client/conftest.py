"""A database that the threads of a live server see."""

import pytest
from django.core.management import call_command
from django.db import connection


@pytest.fixture
def real_transactions(transactional_db):
    """On SQLite the database is emptied row by row, which append-only tables refuse: their triggers are put aside."""
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
