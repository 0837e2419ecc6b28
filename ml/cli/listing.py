"""`python -m ml list`: the committed catalogue; `--write` makes it again from the methods' records."""

import json
import sys

from ml.runs.catalogue import PATH, read_catalogue


def text_of(rows: object) -> str:
    """The exact content of `ml/catalogue.json`."""
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def show(*, as_json: bool, write: bool) -> int:
    """Print the methods."""
    if write:
        from ml.methods import catalogue

        PATH.write_text(text_of(catalogue()))
        print(f"wrote {PATH}", file=sys.stderr)
        return 0
    if as_json:
        print(text_of(list(read_catalogue())), end="")
        return 0
    for row in read_catalogue():
        print(f"{row['name']:24} {row['task']:20} {row['fidelity']:15} {', '.join(row['sizes'])}")
    return 0
