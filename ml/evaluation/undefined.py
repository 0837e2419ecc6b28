"""What a metric raises where it has no value: never 0, never NaN."""

from typing import Literal

Reason = Literal[
    "one_class", "empty", "no_spacing", "too_few", "no_normals", "no_marks", "no_pixels", "one_side_empty",
    "no_threshold",
]  # fmt: skip


class Undefined(ValueError):
    """The metric is not defined on these units; `reason` says why in one word of a closed list."""

    def __init__(self, reason: Reason):
        super().__init__(reason)
        self.reason: Reason = reason


class NotAScore(ValueError):
    """A score is NaN or infinite: the model is broken, and no metric of it would mean anything."""
