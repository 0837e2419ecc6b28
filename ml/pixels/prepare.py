"""From a decoded image to what a network sees: mask, turn, scale to millimetres, crop, window. One affine for it all.

Source: methods.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ml.geometry import affine
from ml.pixels import crop, orientation, spacing, window
from ml.pixels.breast_mask import breast_mask
from ml.pixels.decode import Decoded
from ml.pixels.pectoral import pectoral
from ml.pixels.resample import resample, resample_mask

REFUSED_OPTION = "PixelsConfig has no option {!r}"


@dataclass(frozen=True, kw_only=True)
class PixelsConfig:
    """How images are prepared.

    target_spacing_mm: side of a network pixel. size: (rows, cols) of every image, or None to keep the crop's own.
    max_long_px: shrink what is longer. fit: pad keeps the shape, squash does not. window: see `ml.pixels.window`;
    fixed: (low, high) in stored values for the fixed window. crop: to the breast, or the whole frame. pectoral: take
    the muscle of an MLO view out of the mask, where its edge is found; for density, since muscle is no dense tissue.
    air: leave what is outside the mask visible (air, labels, markers), for a method that finds the breast itself.
    """

    target_spacing_mm: float = 0.2
    size: tuple[int, int] | None = None
    max_long_px: int | None = None
    fit: Literal["pad", "squash"] = "pad"
    window: window.Kind = "percentile"
    fixed: tuple[float, float] | None = None
    margin_mm: float = crop.MARGIN_MM
    crop: bool = True
    pectoral: bool = False
    air: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> PixelsConfig:
        """The config of a request's `pixels`. Raises TypeError on an option that does not exist."""
        known = {item.name for item in fields(cls)}
        for name in options:
            if name not in known:
                raise TypeError(REFUSED_OPTION.format(name))
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in options.items()
        }
        return cls(**plain)

    def as_ops(self) -> list[list[Any]]:
        """The steps with their parameters, as they go into the key of the cache."""
        return [["prepare", asdict(self)]]


@dataclass(frozen=True)
class Prepared:
    """x (H, W) float32 in [0, 1]; mask (H, W) of the breast; affine (3, 3) float64, source to network pixels.

    air: whether x shows what is outside the mask; else it is 0 there. flags: mask_failed, orientation_conflict,
    spacing_assumed, flat, pectoral_absent; of whoever compares header and row, what differs. mm_per_px: a network
    pixel's side.
    """

    x: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    affine: npt.NDArray[np.float64]
    flags: tuple[str, ...] = ()
    mm_per_px: float = 1.0
    air: bool = False


def prepare(decoded: Decoded, config: PixelsConfig, *, spacing_mm: Sequence[float] | None = None) -> Prepared:
    """Prepare a decoded image. `spacing_mm` (dy, dx) is used where the header has none."""
    pixels, info = decoded.pixels, decoded.info
    found = breast_mask(pixels, film=info.presentation == "film")
    turn = orientation.canonical_turn(found.mask, info, trust_mask=not found.flags)
    (dy, dx), assumed = spacing.known_or_assumed(info, spacing_mm)
    if turn.transposed:
        dy, dx = dx, dy
    frame = _frame(found.mask, turn, config, (dy, dx), bool(assumed))
    matrix = affine.compose(turn.matrix(*pixels.shape), frame.matrix)
    x = resample(pixels, matrix, frame.shape)
    mask = resample_mask(found.mask, matrix, frame.shape)
    mm_per_px = float(np.sqrt(dy * dx)) / affine.scale_of(matrix)
    low, high = window.limits(x, mask, config.window, info=info, mm_per_px=mm_per_px, fixed=config.fixed)
    x, flags = window.applied(x, np.ones_like(mask) if config.air else mask, low, high)
    if config.pectoral and info.view == "MLO":
        # After windowing: the limits are those of the whole breast, with muscle or without.
        muscle = pectoral(x, mask, mm_per_px)
        mask, flags = mask & ~muscle.mask, (*flags, *muscle.flags)
        x = x if config.air else np.where(mask, x, np.float32(0))
    return Prepared(x, mask, matrix, (*found.flags, *turn.flags, *assumed, *flags), mm_per_px, config.air)


def _frame(
    mask: npt.NDArray[np.bool_],
    turn: orientation.Turn,
    config: PixelsConfig,
    spacing_mm: tuple[float, float],
    assumed: bool,
) -> crop.Frame:
    rows, cols = turn.size(*mask.shape)
    dy, dx = spacing_mm
    k = dx / config.target_spacing_mm, dy / config.target_spacing_mm
    box: tuple[float, float, float, float] = (0.0, 0.0, float(cols), float(rows))
    if config.crop:
        turned = affine.apply_boxes(turn.matrix(*mask.shape), [crop.mask_box(mask)])[0]
        x0, y0, x1, y1 = (round(side) for side in turned)
        px = crop.MARGIN_ASSUMED_PX
        margin = (px / k[0], px / k[1]) if assumed else (config.margin_mm / dx, config.margin_mm / dy)
        box = crop.with_margin((x0, y0, x1, y1), margin, rows, cols)
    return crop.framed(box, k, size=config.size, fit=config.fit, max_long_px=config.max_long_px)
