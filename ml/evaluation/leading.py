"""Which patients the figures that lead are of."""

from collections.abc import Iterable

UNSEEN = ("test", "audit")
"""Splits whose patients had no part in a model; those of validation chose its weights and its temperature."""


def leading_split(splits: Iterable[str]) -> str | None:
    """The split whose figures lead: test, else audit, else the last of them; None without one."""
    named = list(splits)
    return next((split for split in UNSEEN if split in named), named[-1] if named else None)
