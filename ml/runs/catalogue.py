"""The committed list of methods, `ml/catalogue.json`: what `python -m ml list --json` prints and a run form reads.

It is generated from the methods' own records (`python -m ml list --write`) and a test compares the two, so that
nobody has to import torch to know what exists.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ml.runs.errors import invalid

PATH = Path(__file__).parent.parent / "catalogue.json"


@cache
def read_catalogue() -> tuple[dict[str, Any], ...]:
    """All methods: name, seed_row, task, fidelity, serves, findings, needs, inputs, sizes, parameters, reference."""
    return tuple(json.loads(PATH.read_text()))


def entry(name: str) -> dict[str, Any]:
    """One method. Raises RunRefused (exit 2, `method_unknown`)."""
    for method in read_catalogue():
        if method["name"] == name:
            return method
    raise invalid("method_unknown", f"there is no method named {name!r}", method=name)
