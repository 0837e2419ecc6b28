"""explanations/: a picture for each view that was explained, and `index.json`, which says what each of them shows.

A picture is an 8-bit grey PNG, long side at most 1024, 255 where the score came from most. `affine` takes stored pixels
(x, y, corner convention) to the picture's. A map shows where a score came from, not where the disease is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ml.runs import atomic, versions
from ml.runs.records import from_dict, to_dict

MapKind = Literal["own", "grad_cam", "occlusion"]
LONGEST_PX = 1024


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """One picture. `unit` is the sample that was scored (an image, a breast, an exam, a region), `label` the class.

    kind: the method's own map (its saliency, attention or outline), Grad-CAM at its last feature maps, or what the
    score loses where squares are covered. maximum: the highest raw value over the sample's views, by which all of
    them were divided; empty: nothing in this view spoke for the score, the picture is all zero. box: the region's
    square in stored pixels, where the sample is one.
    """

    exam_id: str
    image_id: str
    unit: str
    split: str
    target: str
    label: str
    kind: MapKind
    score: float | None
    path: str
    rows: int
    cols: int
    affine: tuple[tuple[float, ...], ...]
    maximum: float
    empty: bool
    box: tuple[float, ...] | None = None
    finding_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """index.json."""

    schema: str = versions.tag("explanations")
    maps: tuple[HeatMap, ...] = ()


def write_explanations(folder: Path, maps: Sequence[HeatMap]) -> None:
    """Write index.json, after the pictures that it names."""
    atomic.write_json(folder / "index.json", to_dict(Explanations(maps=tuple(maps))))


def read_explanations(folder: Path) -> tuple[HeatMap, ...]:
    """What index.json says; nothing where there is none. Raises RunRefused (another major), ValueError (unreadable)."""
    path = folder / "index.json"
    if not path.exists():
        return ()
    document = json.loads(path.read_text())
    versions.require(document, "explanations")
    return from_dict(Explanations, document).maps
