"""A frozen snapshot refuses change in the database itself, whatever code runs.

Updates of its content and of its items, new items, and deletes fail, except where the whole project is being removed
(a row in exchange_removal, written by the removal alone). `created_by` and `job_id` stay free: an account or a job
that goes must not be held by a snapshot.
"""

from django.db import migrations

FROZEN_COLUMNS = "project_id, number, state, policy, note, counts, sources, sha256, frozen_at"
MESSAGE = "a frozen snapshot refuses change"
PARENT_FROZEN = "EXISTS (SELECT 1 FROM exchange_snapshot s WHERE s.id = {row}.snapshot_id AND s.state = 'frozen')"
PARENT_KEPT = (
    "EXISTS (SELECT 1 FROM exchange_snapshot s WHERE s.id = OLD.snapshot_id AND s.state = 'frozen' "
    "AND NOT EXISTS (SELECT 1 FROM exchange_removal r WHERE r.project_id = s.project_id))"
)
KEPT = "OLD.state = 'frozen' AND NOT EXISTS (SELECT 1 FROM exchange_removal r WHERE r.project_id = OLD.project_id)"
# name, table, deed, condition over OLD or NEW
TRIGGERS = (
    ("snapshot_frozen_update", "exchange_snapshot", f"UPDATE OF {FROZEN_COLUMNS}", "OLD.state = 'frozen'"),
    ("snapshot_frozen_delete", "exchange_snapshot", "DELETE", KEPT),
    ("item_frozen_insert", "exchange_snapshotitem", "INSERT", PARENT_FROZEN.format(row="NEW")),
    ("item_frozen_update", "exchange_snapshotitem", "UPDATE", PARENT_FROZEN.format(row="OLD")),
    ("item_frozen_delete", "exchange_snapshotitem", "DELETE", PARENT_KEPT),
)


def create(apps, schema_editor):
    """PostgreSQL forbids subqueries in WHEN, so there the condition stands in the function."""
    for name, table, deed, condition in TRIGGERS:
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {deed} ON {table} WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
            continue
        passed = "OLD" if deed == "DELETE" else "NEW"
        schema_editor.execute(
            f"CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
            f"RETURN {passed}; END $$"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_{name}()"
        )


def drop(apps, schema_editor):
    for name, table, _, _ in TRIGGERS:
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
        else:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            schema_editor.execute(f"DROP FUNCTION IF EXISTS refuse_{name}()")


class Migration(migrations.Migration):
    dependencies = [("exchange", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
