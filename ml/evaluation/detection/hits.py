"""When a candidate counts as pointing at a mark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.things import Candidates, Image, Mark
from ml.geometry.overlap import pairwise_iou

CENTRE = "centre_in_mark"
BY_FINDING = "by_finding"
"""Each mark by the headline criterion of its own type; for the pooled target."""
HEADLINE = {
    "mass": "iou>=0.2",
    "calcification": CENTRE,
    "asymmetry": "iou>=0.1",
    "architectural_distortion": "iou>=0.1",
    "any": BY_FINDING,
}
"""Clusters of calcifications have no sharp outline, so their centre decides; outlines of the rest are generous."""


@dataclass(frozen=True)
class Hits:
    """Of N candidates and M marks: whether each hits each (N, M), and how well, the higher the better (N, M)."""

    hit: npt.NDArray[np.bool_]
    merit: npt.NDArray[np.float64]


def headline(target: str) -> str:
    """The criterion by which a finding type is reported first."""
    return HEADLINE.get(target, CENTRE)


def usable(mark: Mark, criterion: str) -> bool:
    """A point has no box, so an overlap cannot be asked of it."""
    return mark.kind != "point" or _own(mark, criterion) == CENTRE


def hits(found: Candidates, marks: tuple[Mark, ...], image: Image, criterion: str) -> Hits:
    """Which candidates hit which marks of `image`. Overlap counts to the mark's bounding box, the border included."""
    n, m = len(found.scores), len(marks)
    hit, merit = np.zeros((n, m), bool), np.zeros((n, m))
    for j, mark in enumerate(marks):
        own = _own(mark, criterion)
        if own == CENTRE:
            hit[:, j], merit[:, j] = _centre_hits(found, mark, image)
        elif mark.kind != "point":
            overlap = pairwise_iou(found.boxes, np.asarray([mark.bounds()], np.float64))[:, 0]
            hit[:, j], merit[:, j] = overlap >= float(own.removeprefix("iou>=")) - 1e-12, overlap
    return Hits(hit, merit)


def _own(mark: Mark, criterion: str) -> str:
    return headline(mark.type) if criterion == BY_FINDING else criterion


def _centre_hits(found: Candidates, mark: Mark, image: Image) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    x, y = found.boxes[:, [0, 2]].mean(axis=1), found.boxes[:, [1, 3]].mean(axis=1)
    if mark.kind == "point":
        cx, cy = mark.geometry
        reach_x, reach_y = image.point_reach()
        inside = np.hypot((x - cx) / reach_x, (y - cy) / reach_y) <= 1.0
    else:
        x0, y0, x1, y1 = mark.bounds()
        cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
        inside = np.array([mark.contains(px, py) for px, py in zip(x, y, strict=True)], bool)
    return inside, -np.hypot(x - cx, y - cy)
