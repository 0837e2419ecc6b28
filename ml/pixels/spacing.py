"""How large a pixel is, and what is assumed where nobody knows. Source: methods.md 2.5."""

from __future__ import annotations

from collections.abc import Sequence

from ml.pixels.header import PixelInfo

ASSUMED_LONG_SIDE_MM = 240.0
"""The long side of a full frame of unknown spacing."""

OF_DATA_SET = {"mias": 0.05, "mini-mias": 0.2, "inbreast": 0.07}
OF_DDSM_SCANNER = {"HOWTEK": 0.0435, "LUMISYS": 0.05, "DBA": 0.042}


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


def of_data_set(name: str, scanner: str | None = None) -> tuple[float, float] | None:
    """Spacing that a public data set is known to have; DDSM's depends on its scanner."""
    side = OF_DDSM_SCANNER.get((scanner or "").upper()) if name == "ddsm" else OF_DATA_SET.get(name)
    return None if side is None else (side, side)
