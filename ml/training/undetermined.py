"""Which operations a deterministic run could not compute the same way twice: PyTorch warns of each and goes on."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

#: `grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set ...` and its like.
_WARNING = re.compile(r".*(does not have a deterministic|non-deterministic|not deterministic)", re.DOTALL)
_NAMED = re.compile(r"(\S+) does not have a deterministic")
MOST_LETTERS = 200


@contextmanager
def undetermined_told() -> Iterator[set[str]]:
    """Collects the names while it lasts, the sentence where PyTorch names none; every warning is shown as ever."""
    found: set[str] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("default", message=_WARNING.pattern)
        shown = warnings.showwarning

        def note(
            message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
            line: str | None = None,
        ) -> Any:  # fmt: skip
            if _WARNING.match(text := str(message)):
                named = _NAMED.match(text)
                found.add(named[1] if named else text[:MOST_LETTERS])
            return shown(message, category, filename, lineno, file, line)

        warnings.showwarning = note
        yield found
