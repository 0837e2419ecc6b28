"""Where the breast is: threshold, clean, keep the largest piece. Source: methods.md 2.2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Threshold = Callable[[Floats], float]

WORKING_PX = 512
"""Long side of the small picture in which the breast is looked for."""
FLAT_MODE, FLAT_SHARE = 0.02, 0.2
AREA = (0.05, 0.95)
FRAME_LEVEL, FRAME_SHARE, FRAME_STEP = 0.8, 0.03, 0.15
CONTENT_LEVEL, CONTENT_PERCENTILE = 0.06, 99.5
RIM_SHARE = 0.1
"""How far the skin may be from the bright part of a film's breast, as a share of the long side."""
RIM_SPREADS, RIM_STEP, RIM_LEAST_PX = 4.0, 0.05, 500
"""The skin is brighter than the film's base by so many spreads of it, and by so much at least."""
_PAD = 12


@dataclass(frozen=True)
class Found:
    """mask (H, W); flags is ("mask_failed",) where the whole image had to be taken."""

    mask: Mask
    flags: tuple[str, ...] = ()


def breast_mask(pixels: Floats, *, film: bool = False) -> Found:
    """The breast in an image (H, W) in which dense tissue is bright; `film` drops bright frames first."""
    x = _stretched(pixels)
    if film:
        x = _without_frame(x)
    # Films are padded with black on both sides; a digital image is looked at whole first. Where its background is flat
    # is seen in the whole: beside a breast that fills its frame, too little of it is left to tell.
    first = _otsu_of_root if film else _first_threshold(_shrunk(x))
    for rows, cols in [_content(x)] if film else [(slice(None), slice(None)), _content(x)]:
        inner = _searched(x[rows, cols], first, film=film)
        if inner is not None:
            mask = np.zeros(pixels.shape, bool)
            mask[rows, cols] = inner
            return Found(mask)
    return Found(np.ones(pixels.shape, bool), ("mask_failed",))


def _searched(x: Floats, first: Threshold, *, film: bool) -> Mask | None:
    small = _shrunk(x)
    for threshold in (first, _triangle, _above_border):
        piece = _cleaned(small > threshold(small))
        if _plausible(piece):
            return _full_size(_to_the_skin(small, piece) if film else piece, *x.shape)
    return None


def _to_the_skin(small: Floats, piece: Mask) -> Mask:
    """The breast grown over its dark rim to where the film is as dark as it is far from the breast.

    Otsu parts bright tissue from the rest, and the fat under the skin, thin and little compressed, is nearer to the
    film's base than to the tissue. Growth ends at a share of the picture's side, so that labels are not reached.
    """
    away = ndimage.distance_transform_edt(~piece)
    reach = RIM_SHARE * max(small.shape)
    base = small[away > reach]
    if base.size < RIM_LEAST_PX:
        return piece
    level = float(np.median(base))
    spread = 1.4826 * float(np.median(np.abs(base - level)))
    rim = ndimage.gaussian_filter(small, 1.5) > level + max(RIM_SPREADS * spread, RIM_STEP)
    grown = _cleaned(piece | (rim & (away <= reach)))
    return grown if _plausible(grown) else piece


def _content(x: Floats) -> tuple[slice, slice]:
    """Rows and columns between the black padding on both sides."""
    spans = []
    for axis in (1, 0):
        used = np.flatnonzero(np.percentile(x, CONTENT_PERCENTILE, axis=axis) > CONTENT_LEVEL)
        spans.append(slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(None))
    return spans[0], spans[1]


def _stretched(pixels: Floats) -> Floats:
    low, high = (float(level) for level in np.percentile(pixels, (0.1, 99.9)))
    x = (pixels - np.float32(low)) / np.float32(max(high - low, 1e-12))
    return np.clip(x, 0, 1, out=x)


def _without_frame(x: Floats) -> Floats:
    """Black out a bright frame along each edge: at most 3 % of the size, and darker behind.

    A bright line that goes on inwards is no frame: at the chest wall it is muscle.
    """
    x = x.copy()
    for axis in (0, 1):
        lines = x if axis == 0 else x.T
        most = int(FRAME_SHARE * lines.shape[0])
        for side in (lines, lines[::-1]):
            levels = np.median(side[: most + 1], axis=1)
            width = int(np.argmax(levels <= FRAME_LEVEL))
            # argmax is 0 both without a frame and where nothing within reach is darker: then nothing is taken away.
            if width and levels[:width].min() - levels[width] >= FRAME_STEP:
                side[:width] = 0
    return x


def _box_average(x: Floats, z: int) -> Floats:
    if z <= 1:
        return x
    padded = np.pad(x, ((0, -x.shape[0] % z), (0, -x.shape[1] % z)), mode="edge")
    return padded.reshape(padded.shape[0] // z, z, padded.shape[1] // z, z).mean(axis=(1, 3))


def _shrunk(x: Floats) -> Floats:
    return _box_average(x, -(-max(x.shape) // WORKING_PX))


def _first_threshold(s: Floats) -> Threshold:
    """Just above the background of a digital image, which is one value; else Otsu on the square root (film)."""
    values, counts = np.unique(np.round(s, 4), return_counts=True)
    mode = float(values[counts.argmax()])
    if mode <= FLAT_MODE and counts.max() >= FLAT_SHARE * s.size:
        return lambda _: mode + 0.01
    return _otsu_of_root


def _otsu_of_root(s: Floats) -> float:
    return otsu(np.sqrt(s)) ** 2


def otsu(values: Floats, bins: int = 256) -> float:
    """The threshold with the largest variance between the two classes, over the range of the values."""
    counts, edges = np.histogram(values, bins=bins)
    if counts.max() == counts.sum():
        return float(edges[0])
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = (np.cumsum((counts * centres)[::-1]) / np.maximum(above[::-1], 1))[::-1]
    between = below[:-1] * above[1:].astype(np.float64) * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[int(between.argmax())])


def _triangle(s: Floats) -> float:
    """The bin farthest from the line between the histogram's peak and the end of its longer tail."""
    counts, edges = np.histogram(s, bins=256)
    peak, used = int(counts.argmax()), np.flatnonzero(counts)
    end = int(used[-1]) if used[-1] - peak >= peak - used[0] else int(used[0])
    if end == peak:
        return float(edges[peak])
    steps = np.arange(min(peak, end), max(peak, end) + 1)
    line = counts[peak] + (counts[end] - counts[peak]) * (steps - peak) / (end - peak)
    return float(edges[int(steps[int((line - counts[steps]).argmax())])])


def _above_border(s: Floats) -> float:
    border = np.concatenate([s[0], s[-1], s[:, 0], s[:, -1]])
    values, counts = np.unique(np.round(border, 3), return_counts=True)
    mode = float(values[counts.argmax()])
    return mode + 3 * float(np.median(np.abs(border - np.median(border))))


def _disk(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


def _cleaned(raw: Mask) -> Mask:
    # Mirrored outwards: the breast goes on at the chest wall, and a thin bright edge of the film stays thin.
    padded = np.pad(raw, _PAD, mode="symmetric")
    opened = _morph(_morph(padded, 3, ndimage.minimum_filter), 3, ndimage.maximum_filter)
    labels, count = ndimage.label(opened)
    if not count:
        return np.zeros_like(raw)
    inner = labels[_PAD:-_PAD, _PAD:-_PAD]
    sizes = np.bincount(inner.ravel(), minlength=count + 1)
    sizes[0] = 0
    piece = ndimage.binary_fill_holes(labels == sizes.argmax())
    closed = _morph(_morph(piece, 5, ndimage.maximum_filter), 5, ndimage.minimum_filter)
    return (ndimage.gaussian_filter(closed.astype(np.float32), 3.0) > 0.5)[_PAD:-_PAD, _PAD:-_PAD]


def _morph(mask: Mask, radius: int, filtered: Callable[..., Any]) -> Mask:
    return filtered(mask.astype(np.uint8), footprint=_disk(radius), mode="nearest").astype(bool)


def _plausible(mask: Mask) -> bool:
    return AREA[0] <= mask.mean() <= AREA[1] and bool(mask[:, 0].any() or mask[:, -1].any())


def _full_size(small: Mask, height: int, width: int) -> Mask:
    z = -(-max(height, width) // WORKING_PX)
    if z <= 1:
        return small
    inverse = 1.0 / z
    grown = ndimage.affine_transform(
        small.astype(np.float32),
        [inverse, inverse],
        offset=0.5 * inverse - 0.5,
        output_shape=(height, width),
        order=1,
        mode="nearest",
    )
    return grown > 0.5
