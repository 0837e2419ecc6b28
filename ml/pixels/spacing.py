"""How large a pixel is, and what is assumed where nobody knows. Source: methods.md 2.5."""

from __future__ import annotations

from collections.abc import Sequence

from ml.pixels.header import PixelInfo

ASSUMED_LONG_SIDE_MM = 240.0
"""The long side of a full frame of unknown spacing."""


def known_or_assumed(
    info: PixelInfo, given: Sequence[float] | None = None
) -> tuple[tuple[float, float], tuple[str, ...]]:
    """((dy, dx) in mm, flags): the header's, else what the caller knows, else assumed and flagged."""
    if info.spacing_mm is not None:
        return info.spacing_mm, ()
    if given is not None:
        return (float(given[0]), float(given[1])), ()
    side = ASSUMED_LONG_SIDE_MM / max(info.rows, info.cols)
    return (side, side), ("spacing_assumed",)
