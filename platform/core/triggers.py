"""Triggers that refuse changes, written once for both databases.

A constraint that must hold whatever code runs belongs to the database: append-only tables and frozen rows are guarded
here, and a migration calls `refuse(...)` with the table, the deeds and, where needed, a condition on the old row.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython
from django.db.migrations.state import StateApps

DEEDS = ("UPDATE", "DELETE")


def refuse(table: str, name: str, *, deeds: tuple[str, ...] = DEEDS, when_old: str = "") -> RunPython:
    """A migration step: `deeds` on rows of `table` fail, if `when_old` (SQL over OLD, optional) is true of them."""

    def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        vendor = schema_editor.connection.vendor
        for deed in deeds:
            for statement in _create(vendor, table, f"{name}_{deed.lower()}", deed, when_old):
                schema_editor.execute(statement)

    def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        on = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
        for deed in deeds:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}_{deed.lower()}{on}")

    return RunPython(create, drop)


def _create(vendor: str, table: str, name: str, deed: str, when_old: str) -> list[str]:
    message = f"{table} refuses {deed.lower()}"
    condition = f"WHEN ({when_old})" if when_old else ""
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE {deed} ON {table} {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]
    function = f"refuse_{name}"
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION {function}()",
    ]
