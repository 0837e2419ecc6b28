"""Lesions without a network: the brightest blobs of the breast, and boxes at random.

Both propose 20 boxes an image and finding in source pixels, mapped back by the inverse of the image's affine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter, zoom
from scipy.spatial import cKDTree

from ml.evaluation.baselines.pixels import Prepared, mm_per_pixel
from ml.geometry.affine import apply_boxes, invert

Floats = npt.NDArray[np.float64]
Proposals = tuple[Floats, Floats]
"""Boxes (N, 4) in source pixels and their scores (N,)."""

PEAKS = 20
MASS_RADII_MM = (2.0, 3.0, 4.5, 7.0, 10.0, 15.0)
CALC_RADII_MM = (0.2, 0.4, 0.7, 1.0)
COARSE_MM = 0.8
"""Masses are looked for at this pixel size: their blur is wide, and it is 16 times cheaper than at 0.2."""
CLUSTER_MM = 10.0
CLUSTER_OF = 3
CALC_PEAKS = 200
FAINTEST = 1e-4
"""Responses under this are rounding, not tissue; pixels are in [0, 1]."""
BOX_SIDE_RADII = 3.0
"""Side of a box: 2 radii x 1.5."""


def brightest_blobs(row: Mapping[str, Any], image: Prepared, findings: Sequence[str]) -> dict[str, Proposals]:
    """The 20 strongest blobs for each finding: single ones of 2-15 mm, or clusters of specks for calcifications."""
    mm = mm_per_pixel(row, image)
    x, mask = np.asarray(image.x, np.float64), np.asarray(image.mask, bool)
    found: dict[str, Proposals] = {}
    by_kind: dict[Callable[..., Proposals], Proposals] = {}
    for finding in findings:
        find = _clusters if finding == "calcification" else _masses
        if find not in by_kind:
            boxes, scores = find(x, mask, mm)
            by_kind[find] = _to_source(boxes, image, row), scores
        found[finding] = by_kind[find]
    return found


def random_boxes(row: Mapping[str, Any], image: Prepared, sides_px: Sequence[float], seed: int) -> Proposals:
    """20 boxes with centres anywhere on the breast, sides drawn from `sides_px` (source pixels), scores at random.

    Keyed by seed and image, so that neither order nor company of the images matters.
    """
    key = hashlib.sha256(f"{seed}|{row['image_id']}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(key[:8], "big"))
    ys, xs = np.nonzero(image.mask)
    if not len(ys):
        return np.zeros((0, 4)), np.zeros(0)
    chosen = rng.integers(0, len(ys), PEAKS)
    centres = np.column_stack([xs[chosen] + 0.5, ys[chosen] + 0.5, xs[chosen] + 0.5, ys[chosen] + 0.5])
    placed = _to_source(centres, image, row)
    half = rng.choice(np.asarray(sides_px, np.float64), PEAKS)[:, None] / 2
    return placed + np.hstack([-half, -half, half, half]), rng.random(PEAKS)


def difference_of_gaussians(x: Floats, mask: npt.NDArray[np.bool_], radii: Sequence[float]) -> Floats:
    """Response to bright discs of each radius (pixels), (R, H, W): highest where a disc of that size has its centre.

    Blurs are of the breast alone (divided by the blurred mask), else every skin line would answer.
    """
    sigmas = sorted({sigma for radius in radii for sigma in _sigmas(radius)})
    inside = np.where(mask, x, 0.0), mask.astype(np.float64)
    blurred = {}
    for sigma in sigmas:
        value, weight = (gaussian_filter(part, sigma, truncate=3.0) for part in inside)
        blurred[sigma] = value / np.maximum(weight, 1e-3)
    return np.stack([blurred[near] - blurred[far] for near, far in map(_sigmas, radii)])


def _sigmas(radius: float) -> tuple[float, float]:
    return radius / np.sqrt(2.0), 1.6 * radius / np.sqrt(2.0)


def _masses(x: Floats, mask: npt.NDArray[np.bool_], mm: float) -> Proposals:
    shrink = min(mm / COARSE_MM, 1.0)
    small, inside = (
        zoom(x, shrink, order=1, grid_mode=True, mode="nearest"),
        zoom(mask, shrink, order=0, grid_mode=True, mode="nearest"),
    )
    back = np.array([x.shape[1] / small.shape[1], x.shape[0] / small.shape[0]])
    centres, radii, scores = _peaks(small, inside, [r / (mm / shrink) for r in MASS_RADII_MM], PEAKS)
    return _boxes(centres * back, radii / shrink), scores


def _clusters(x: Floats, mask: npt.NDArray[np.bool_], mm: float) -> Proposals:
    """Groups of three or more specks within 10 mm of their strongest; the group's box, the sum of its responses."""
    # A speck smaller than a pixel is looked for at the size of a pixel.
    sizes = sorted({max(r / mm, 0.7) for r in CALC_RADII_MM})
    centres, radii, scores = _peaks(x, mask, sizes, CALC_PEAKS)
    free = np.ones(len(centres), bool)
    boxes, sums = [], []
    tree = cKDTree(centres) if len(centres) else None
    for i in range(len(centres)):
        if tree is None or not free[i]:
            continue
        members = [j for j in tree.query_ball_point(centres[i], CLUSTER_MM / mm) if free[j]]
        if len(members) < CLUSTER_OF:
            continue
        own = _boxes(centres[members], radii[members])
        boxes.append([*own[:, :2].min(axis=0), *own[:, 2:].max(axis=0)])
        sums.append(scores[members].sum())
        free[members] = False
    best = np.argsort(-np.asarray(sums), kind="stable")[:PEAKS]
    return np.asarray(boxes, np.float64).reshape(-1, 4)[best], np.asarray(sums, np.float64)[best]


def _peaks(x: Floats, mask: npt.NDArray[np.bool_], radii: Sequence[float], most: int) -> tuple[Floats, Floats, Floats]:
    """Strongest local maxima over place and radius: centres (N, 2) as x, y; radii (N,); responses (N,)."""
    responses = difference_of_gaussians(x, mask, radii)
    best = responses.max(axis=0)
    # A peak rules over the discs of its own size, so that one blob is proposed once.
    size = 2 * round(min(radii)) + 1
    peak = (best == maximum_filter(best, size=size)) & mask & (best > FAINTEST)
    ys, xs = np.nonzero(peak)
    by_response = np.argsort(-best[ys, xs], kind="stable")
    ys, xs = ys[by_response], xs[by_response]
    own = np.asarray(radii, np.float64)[responses[:, ys, xs].argmax(axis=0)]
    centres = np.column_stack([xs, ys]).astype(np.float64) + 0.5
    kept = _apart(centres, own, most)
    return centres[kept], own[kept], best[ys, xs][kept]


def _apart(centres: Floats, radii: Floats, most: int) -> list[int]:
    """Greedily, strongest first: those whose centre lies in no stronger one's disc."""
    kept: list[int] = []
    for i, centre in enumerate(centres):
        if len(kept) == most:
            break
        if not kept or (np.hypot(*(centres[kept] - centre).T) > radii[kept]).all():
            kept.append(i)
    return kept


def _boxes(centres: Floats, radii: Floats) -> Floats:
    half = np.asarray(radii)[:, None] * BOX_SIDE_RADII / 2
    return np.hstack([centres - half, centres + half])


def _to_source(boxes: Floats, image: Prepared, row: Mapping[str, Any]) -> Floats:
    if not len(boxes):
        return np.zeros((0, 4))
    placed = apply_boxes(invert(np.asarray(image.affine, np.float64)), boxes)
    return np.clip(placed, 0, [row["cols"], row["rows"]] * 2)
