"""Version tags of the files in a run folder: `mammoloop.<file>/<major>.<minor>`."""

from typing import Any

from ml.runs.errors import invalid

MAJOR, MINOR = 1, 0


def tag(name: str) -> str:
    """The tag that we write, e.g. `mammoloop.request/1.0`."""
    return f"mammoloop.{name}/{MAJOR}.{MINOR}"


def require(document: Any, name: str) -> None:
    """Accept our major version, and any minor of it. Raises RunRefused (exit 2, `schema_unknown`)."""
    found = document.get("schema") if isinstance(document, dict) else None
    kind, _, version = str(found).partition("/")
    if kind != f"mammoloop.{name}" or version.partition(".")[0] != str(MAJOR):
        raise invalid("schema_unknown", f"{name}: expected schema {tag(name)}, found {found!r}")
