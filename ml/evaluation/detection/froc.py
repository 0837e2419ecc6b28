"""FROC: how many lesions are found at how many false marks an image.

Sensitivity is of findings (a finding counts once if any of its views is hit) or of marks; false positives are counted
on normal images, or on all complete ones. Where weights of images (B, I) are given, B replicates come out at once.

Source: Chakraborty 1989; the mean of seven rates is that of the LUNA16 challenge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.matching import Outcomes, Verdict
from ml.evaluation.undefined import Undefined

Floats = npt.NDArray[np.float64]
Per = Literal["finding", "mark"]
On = Literal["normal", "complete"]
CPM_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
REPORTED_RATES = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Froc:
    """What the curve is made of.

    hit (U,) is the score at which each unit is first hit, -inf if never; unit_image (U,) an image of its patient;
    false (K,) and false_image (K,) the false positives on the background images, `background` (I,) True for those.
    """

    units: tuple[str, ...]
    hit: Floats
    unit_image: npt.NDArray[np.int64]
    false: Floats
    false_image: npt.NDArray[np.int64]
    background: npt.NDArray[np.bool_]


def froc(found: Outcomes, per: Per = "finding", on: On = "normal") -> Froc:
    """The curve's events from matched candidates."""
    names = [mark.unit if per == "finding" else f"{mark.unit}/{i}" for i, mark in enumerate(found.marks)]
    units = tuple(sorted(set(names)))
    unit_of_mark = np.array([units.index(name) for name in names], np.int64)
    place = {image.image_id: i for i, image in enumerate(found.images)}
    unit_image = np.zeros(len(units), np.int64)
    unit_image[unit_of_mark] = [place[mark.image_id] for mark in found.marks]
    hit = np.full(len(units), -np.inf)
    true = found.verdict == Verdict.TRUE
    np.maximum.at(hit, unit_of_mark[found.mark[true]], found.score[true])
    background = np.array([image.normal if on == "normal" else image.complete for image in found.images], bool)
    false = (found.verdict == Verdict.FALSE) & background[found.image]
    return Froc(units, hit, unit_image, found.score[false], found.image[false], background)


def sensitivity(curve: Froc, rates: tuple[float, ...], weights: Floats | None = None) -> Floats:
    """Largest sensitivity with at most each rate of false positives an image, a step function from (0, 0). (B, R).

    NaN in replicates without a unit or without a background image.
    """
    w = np.ones((1, len(curve.background))) if weights is None else weights
    found = np.sort(np.unique(curve.hit[np.isfinite(curve.hit)]))[::-1]
    units = w[:, curve.unit_image]
    total = units.sum(axis=1, keepdims=True)
    images = (w * curve.background).sum(axis=1, keepdims=True)
    # (U, H) and (I, H): what a threshold at each hit lets through; few columns, whatever the number of candidates.
    through = (curve.hit[:, None] >= found[None, :]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(total > 0, units @ through / total, np.nan)
        false = np.where(images > 0, w @ _false_through(curve, found) / images, np.nan)
    best = [
        np.max(np.where(false <= rate + 1e-12, share, 0.0), axis=1, initial=0.0) if len(found) else np.zeros(len(w))
        for rate in rates
    ]
    known = (total > 0) & (images > 0)
    return np.where(known, np.stack(best, axis=1), np.nan)


def cpm(curve: Froc, weights: Floats | None = None) -> Floats:
    """Mean sensitivity at 1/8 to 8 false positives an image. (B,)."""
    return sensitivity(curve, CPM_RATES, weights).mean(axis=1)


def require(curve: Froc) -> None:
    """Raises Undefined (no_marks, no_normals) where the curve has no value."""
    if not curve.units:
        raise Undefined("no_marks")
    if not curve.background.any():
        raise Undefined("no_normals")


def points(curve: Froc) -> tuple[Floats, Floats, Floats]:
    """The whole curve: false positives an image, sensitivity, threshold, over all distinct scores, from (0, 0, inf)."""
    require(curve)
    thresholds = np.unique(np.r_[curve.hit[np.isfinite(curve.hit)], curve.false])[::-1]
    hit, false = np.sort(curve.hit), np.sort(curve.false)
    x = (len(false) - np.searchsorted(false, thresholds, "left")) / curve.background.sum()
    y = (len(hit) - np.searchsorted(hit, thresholds, "left")) / len(curve.units)
    return np.r_[0.0, x], np.r_[0.0, y], np.r_[np.inf, thresholds]


def threshold_at(curve: Froc, rate: float) -> float:
    """The lowest score with at most `rate` false positives an image; infinite if even the first is too many."""
    x, _, thresholds = points(curve)
    return float(thresholds[np.flatnonzero(x <= rate + 1e-12)[-1]])


def _false_through(curve: Froc, thresholds: Floats) -> Floats:
    """(I, H): false positives of each image with at least each threshold (from the highest down)."""
    first = np.searchsorted(-thresholds, -curve.false, "left")
    counts = np.zeros((len(curve.background), len(thresholds) + 1))
    np.add.at(counts, (curve.false_image, first), 1.0)
    return np.cumsum(counts, axis=1)[:, :-1]
