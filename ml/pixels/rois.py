"""Regions of interest: squares cut out around marks, and squares of breast without one.

One place for training, prediction and the baselines, so that all speak of the same squares. Rows are plain JSON values
of manifest.jsonl. Source: methods.md 2.7.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ml.geometry.affine import Matrix, apply_boxes, apply_points, compose, flip_x, invert, rotation, scale, shift
from ml.pixels.mark_masks import MaskOf, extent
from ml.pixels.prepare import Prepared
from ml.pixels.resample import reach_px, resample_mask, sample, smooth
from ml.pixels.spacing import ASSUMED_LONG_SIDE_MM

Row = Mapping[str, Any]
Box = tuple[float, float, float, float]
BACKGROUND, LESION = "background", "lesion"
GROWN_MM = 5.0
GROWN_SHARE = 0.02
"""A background square keeps this far from every mark: 5 mm, or 2 % of the long side where the spacing is unknown."""
LEAST_BREAST = 0.5
TRIES = 200
"""Places tried for one background square; an image that is full of marks has none."""
EVALUATION_SEED = 0
"""Draws the backgrounds that are not learned from, whatever a run's own seed: two models are asked about the same."""


@dataclass(frozen=True, kw_only=True)
class RoiOptions:
    """Which squares are cut.

    margin: side over the longest side of the mark's box. least_mm: smallest side. backgrounds: squares of a complete
    image, where the labels ask for any. findings: types that make a square; none = all. image_kinds: images used.
    """

    margin: float = 1.5
    least_mm: float = 0.0
    backgrounds: int = 1
    findings: tuple[str, ...] = ()
    image_kinds: tuple[str, ...] = ("standard", "low_energy")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RoiOptions:
        """Options from a record or a request. Raises TypeError on one that does not exist."""
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(options) - known):
            raise TypeError(f"RoiOptions has no option {unknown[0]!r}")
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in options.items()
        }
        return cls(**plain)


@dataclass(frozen=True)
class Roi:
    """A square of one image: box (x0, y0, x1, y1) in source pixels, its label, and the finding that it shows.

    number: which mark of the finding, or which background or window of the image, counted from 0.
    """

    image_id: str
    exam_id: str
    patient_id: str
    split: str
    box: Box
    label: str
    finding_id: str | None
    kind: Literal["mark", "background", "window"]
    number: int = 0


def rois_of(
    rows: Sequence[Row],
    labels: Sequence[str],
    options: RoiOptions,
    seed: int,
    *,
    image: Callable[[dict[str, Any]], Prepared] | None = None,
    mask_of: MaskOf | None = None,
) -> list[Roi]:
    """The squares of `rows` that have one of `labels`, in the order of image, finding and number.

    A mark's label is the first that fits: `lesion` any finding, a type, a pathology, or `type:pathology`. `background`
    squares come from complete images; their sizes are drawn from the marks of the same split. The choice depends on
    the image, in training images on the seed too, never on the order or the company of the rows beyond those sizes.
    `image` prepares a row, needed for backgrounds; `mask_of` reads stored masks, without which such marks make no
    square.

    Raises ValueError where backgrounds are asked for and `image` is not given.
    """
    used = sorted((row for row in rows if _kind(row) in options.image_kinds), key=lambda row: str(row["image_id"]))
    marked = [roi for row in used for roi in _of_marks(row, labels, options, mask_of)]
    if BACKGROUND not in labels:
        return marked
    if image is None:
        raise ValueError("background regions need the prepared images")
    sides = _sides_mm(used, marked)
    placed: list[Roi] = []
    for row in used:
        placed += _of_background(row, options, seed, sides[row["split"]], image, mask_of)
    return sorted([*marked, *placed], key=lambda roi: (roi.image_id, roi.kind == "background"))


def label_of(finding: Row, labels: Sequence[str]) -> str | None:
    """The first label that fits a finding; None if it has none of them."""
    kind, pathology = finding["type"], finding.get("pathology") or "unknown"
    fits = {LESION, kind, pathology, f"{kind}:{pathology}"}
    return next((label for label in labels if label in fits), None)


def class_of(finding: Row, labels: Sequence[str], options: RoiOptions) -> str | None:
    """The label of a finding's squares; None if it makes none: of no label, of a type not asked, to be ignored."""
    wanted = not options.findings or finding["type"] in options.findings
    return label_of(finding, labels) if wanted and finding.get("difficulty") != "ignore" else None


def is_background(row: Row, box: Box, mask_of: MaskOf | None = None) -> bool:
    """Whether all findings of an image are marked, none of them inside this box."""
    marks = (own for finding in row.get("findings") or () for own in _boxes(row, finding, mask_of))
    return bool(row.get("complete")) and not any(_meet(box, own) for own in marks)


def roi_matrix(
    box: Sequence[float], affine: npt.ArrayLike, size_px: int, turn_degrees: float = 0.0, flip: bool = False
) -> Matrix:
    """Source pixels to the pixels of a square network input, (3, 3), by way of the prepared image's `affine`.

    The square comes out as prepared images are: chest wall at the left. Then it is flipped left to right and turned
    clockwise about its centre.
    """
    x0, y0, x1, y1 = apply_boxes(affine, [box])[0]
    steps = [np.asarray(affine, np.float64), shift(-x0, -y0), scale(size_px / (x1 - x0), size_px / (y1 - y0))]
    if flip:
        steps.append(flip_x(size_px))
    if turn_degrees:
        steps.append(rotation(turn_degrees, size_px / 2, size_px / 2))
    return compose(*steps)


def around(prepared: Prepared, box: Sequence[float], size_px: int) -> Prepared:
    """What any turn of a box's region may read, smoothed for a square of `size_px`: done once, cut as often as wanted.

    The part about the box of x and mask, with its affine.
    """
    x0, y0, x1, y1 = apply_boxes(prepared.affine, [box])[0]
    kx, ky = size_px / (x1 - x0), size_px / (y1 - y0)
    # A square that turns about its centre stays in the circle through its corners.
    more = np.sqrt(0.5) - 0.5
    reach = reach_px(kx, ky) + 1
    rows, cols = prepared.x.shape
    left, right = _between(x0 - more * (x1 - x0) - reach, x1 + more * (x1 - x0) + reach, cols)
    top, bottom = _between(y0 - more * (y1 - y0) - reach, y1 + more * (y1 - y0) + reach, rows)
    # Copies: a view would keep the whole image in memory as long as the region is kept.
    return replace(
        prepared,
        x=smooth(prepared.x[top:bottom, left:right].copy(), kx, ky),
        mask=prepared.mask[top:bottom, left:right].copy(),
        affine=compose(prepared.affine, shift(-left, -top)),
    )


def _between(low: float, high: float, end: int) -> tuple[int, int]:
    """Whole pixels that hold [low, high], inside [0, end], one at least."""
    first = min(max(int(np.floor(low)), 0), end - 1)
    return first, max(min(int(np.ceil(high)), end), first + 1)


def cut(near: Prepared, matrix: Matrix, size_px: int) -> Prepared:
    """The region that `matrix` (of `roi_matrix`) puts into a square of what is `around` it; 0 outside the image."""
    step = compose(invert(near.affine), matrix)
    turned = float(np.sqrt(abs(np.linalg.det(step[:2, :2]))))
    shape = (size_px, size_px)
    return replace(
        near,
        x=sample(near.x, step, shape),
        mask=resample_mask(near.mask, step, shape),
        affine=matrix,
        mm_per_px=near.mm_per_px / turned,
    )


def square(box: Sequence[float], side: float, rows: int, cols: int) -> Box:
    """The square of this side about a box's centre, shifted inside the image, and no larger than it."""
    side = min(side, float(rows), float(cols))
    x = min(max((box[0] + box[2]) / 2 - side / 2, 0.0), cols - side)
    y = min(max((box[1] + box[3]) / 2 - side / 2, 0.0), rows - side)
    return x, y, x + side, y + side


def mm_per_source_px(row: Row) -> float:
    """Spacing of a row, the geometric mean of both axes; assumed from the long side where it is unknown."""
    spacing = row.get("spacing_mm")
    if not spacing:
        return ASSUMED_LONG_SIDE_MM / max(row["rows"], row["cols"])
    return float(np.sqrt(spacing[0] * spacing[1]))


def _of_marks(row: Row, labels: Sequence[str], options: RoiOptions, mask_of: MaskOf | None) -> Iterator[Roi]:
    least = options.least_mm / mm_per_source_px(row)
    for finding in sorted(row.get("findings") or (), key=lambda finding: str(finding["finding_id"])):
        if (label := class_of(finding, labels, options)) is None:
            continue
        for n, box in enumerate(_boxes(row, finding, mask_of)):
            side = max(options.margin * max(box[2] - box[0], box[3] - box[1]), least)
            if side > 0:
                place = square(box, side, row["rows"], row["cols"])
                yield _roi(row, place, label, finding["finding_id"], "mark", n)


def _of_background(
    row: Row,
    options: RoiOptions,
    seed: int,
    sides_mm: Sequence[float],
    image: Callable[[dict[str, Any]], Prepared],
    mask_of: MaskOf | None,
) -> Iterator[Roi]:
    if not row.get("complete") or not sides_mm or (mask_of is None and _has_stored_mask(row)):
        return
    prepared = image(dict(row))
    ys, xs = np.nonzero(prepared.mask)
    kept_free = [_grown(row, box) for finding in row.get("findings") or () for box in _boxes(row, finding, mask_of)]
    own_seed = seed if row["split"] == "train" else EVALUATION_SEED
    for k in range(options.backgrounds if len(ys) else 0):
        rng = np.random.default_rng(int.from_bytes(_key(f"{own_seed}|roi|{row['image_id']}|{k}"), "big"))
        side = sides_mm[int(rng.integers(len(sides_mm)))] / mm_per_source_px(row)
        for place in rng.integers(0, len(ys), TRIES):
            x, y = apply_points(invert(prepared.affine), [[xs[place] + 0.5, ys[place] + 0.5]])[0]
            box = square((x, y, x, y), side, row["rows"], row["cols"])
            if not any(_meet(box, other) for other in kept_free) and _breast_share(box, prepared) >= LEAST_BREAST:
                yield _roi(row, box, BACKGROUND, None, "background", k)
                break


def _sides_mm(rows: Sequence[Row], marked: Sequence[Roi]) -> dict[str, list[float]]:
    """Split to the sides of its marks' squares, mm, in order; a split without marks has those of all."""
    mm = {row["image_id"]: mm_per_source_px(row) for row in rows}
    found: dict[str, list[float]] = {}
    for roi in marked:
        found.setdefault(roi.split, []).append((roi.box[2] - roi.box[0]) * mm[roi.image_id])
    everything = sorted(side for own in found.values() for side in own)
    return {row["split"]: sorted(found.get(row["split"], everything)) for row in rows}


def _boxes(row: Row, finding: Row, mask_of: MaskOf | None) -> Iterator[Box]:
    for mark in finding.get("marks") or ():
        if mark["kind"] != "label_map" and (box := extent(row, mark, mask_of)) is not None:
            yield box


def _has_stored_mask(row: Row) -> bool:
    return any(mark["kind"] == "mask" for finding in row.get("findings") or () for mark in finding.get("marks") or ())


def _grown(row: Row, box: Box) -> Box:
    spacing = row.get("spacing_mm")
    share = GROWN_SHARE * max(row["rows"], row["cols"])
    dy, dx = (GROWN_MM / spacing[0], GROWN_MM / spacing[1]) if spacing else (share, share)
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _breast_share(box: Box, prepared: Prepared) -> float:
    """Share of the square that is breast; what lies outside the prepared image is not."""
    x0, y0, x1, y1 = apply_boxes(prepared.affine, [box])[0]
    rows, cols = prepared.mask.shape
    part = prepared.mask[
        max(round(y0), 0) : min(max(round(y1), 0), rows), max(round(x0), 0) : min(max(round(x1), 0), cols)
    ]
    return float(part.sum() / max((x1 - x0) * (y1 - y0), 1e-9))


def _roi(
    row: Row, box: Box, label: str, finding_id: str | None, kind: Literal["mark", "background"], number: int
) -> Roi:
    return Roi(row["image_id"], row["exam_id"], row["patient_id"], row["split"], box, label, finding_id, kind, number)


def _kind(row: Row) -> str:
    return row.get("image_kind") or "standard"


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:8]
