"""The database itself keeps the journal append-only and gapless, and a ranking as it was published.

Deletes pass only where the whole project is being removed (a row in annotations_removal, written by that alone).
"""

from django.db import migrations

PROJECT_OF_EDIT = "SELECT g.project_id FROM annotations_reading g WHERE g.id = OLD.reading_id"
NEXT_REVISION = (
    "(SELECT 1 + COALESCE(MAX(e.revision), 0) FROM annotations_readingedit e WHERE e.reading_id = NEW.reading_id)"
)
# name, table, deed, condition under which it is refused, message
TRIGGERS = (
    ("journal_update", "annotations_readingedit", "UPDATE", "1 = 1", "the journal is append-only"),
    (
        "journal_delete",
        "annotations_readingedit",
        "DELETE",
        f"NOT EXISTS (SELECT 1 FROM annotations_removal r WHERE r.project_id = ({PROJECT_OF_EDIT}))",  # noqa: S608 - our own words
        "the journal is append-only",
    ),
    ("journal_gap", "annotations_readingedit", "INSERT", f"NEW.revision <> {NEXT_REVISION}", "the journal is gapless"),
    ("order_update", "annotations_orderentry", "UPDATE", "1 = 1", "a ranking stays as it was published"),
)


def create(apps, schema_editor):
    """PostgreSQL forbids subqueries in WHEN, so there the condition stands in the function."""
    for name, table, deed, condition, message in TRIGGERS:
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(
                f"CREATE TRIGGER {name} BEFORE {deed} ON {table} WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
            continue
        passed = "OLD" if deed == "DELETE" else "NEW"
        schema_editor.execute(
            f"CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
            f"RETURN {passed}; END $$"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_{name}()"
        )


def drop(apps, schema_editor):
    for name, table, *_ in TRIGGERS:
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
        else:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            schema_editor.execute(f"DROP FUNCTION IF EXISTS refuse_{name}()")


class Migration(migrations.Migration):
    dependencies = [("annotations", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
