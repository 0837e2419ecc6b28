"""Teaching a trunk without labels: `python -m ml pretrain`. Importing this costs nothing.

Each kind is a record as those of the methods are, so the one loop trains it: same checkpoints, resume, cancel and
events. Its model is a trunk that another run begins with (`init --model`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ml.runs.errors import invalid

if TYPE_CHECKING:
    from ml.methods.spec import MethodSpec, Size

#: The first is the default.
NAMES: tuple[str, ...] = ("simsiam", "byol", "denoising", "masked", "view_pairs")
SIZES: "tuple[Size, ...]" = ("tiny", "base", "large")


def get(name: str) -> "MethodSpec":
    """The record of a kind. Raises RunRefused (exit 2, `method_unknown`)."""
    if name not in NAMES:
        raise invalid("method_unknown", f"no pretraining is named {name!r}; there is {', '.join(NAMES)}", method=name)
    spec: MethodSpec = import_module("ml.pretraining.record").SPECS[name]
    return spec
