"""Which part of an image a training step sees, asked before the image is varied or after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ml.methods.spec import Part, Window
from ml.pixels.augment import Variation
from ml.pixels.prepare import Prepared


@dataclass(frozen=True)
class Varied:
    """An image that has been varied: x (1, H, W)."""

    x: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape[-2], self.x.shape[-1]

    def shows(self, row: int, col: int) -> bool:
        """Whether a pixel is anything but black."""
        return bool(self.x[0, row, col] > 0)


@dataclass(frozen=True)
class Foreseen:
    """What an image will be once it is varied, noise aside: that is drawn where the network is."""

    picture: Prepared
    variation: Variation

    @property
    def shape(self) -> tuple[int, int]:
        return self.picture.x.shape[0], self.picture.x.shape[1]

    def shows(self, row: int, col: int) -> bool:
        """Whether a pixel will be anything but black."""
        rows, cols = self.shape
        x, y = (self.variation.back @ (col + 0.5, row + 0.5, 1.0))[:2]
        inside = 0 <= x <= cols and 0 <= y <= rows
        down, right = min(max(y - 0.5, 0), rows - 1), min(max(x - 0.5, 0), cols - 1)
        if not self.picture.air and not (inside and self.picture.mask[round(down), round(right)]):
            return False
        value, tones = _between(self.picture.x, down, right) if inside else 0.0, self.variation.tones
        if tones.exponent is not None:
            value **= tones.exponent
        if tones.line is not None:
            value = value * tones.line[0] + tones.line[1]
        return value > 0


def taken(part: Part, x: Tensor) -> Tensor:
    """The part of a varied image x (1, H, W)."""
    window = windowed(x, part.window)
    return window if part.made is None else part.made(window)


def windowed(x: Tensor, window: Window) -> Tensor:
    """(1, rows, cols) of a window of x (1, H, W), 0 where it reaches beyond."""
    top, left, rows, cols = window
    inside = x[:, max(top, 0) : max(top + rows, 0), max(left, 0) : max(left + cols, 0)]
    if inside.shape[1:] == (rows, cols):
        return inside
    whole = x.new_zeros(1, rows, cols)
    below, right = max(-top, 0), max(-left, 0)
    whole[:, below : below + inside.shape[1], right : right + inside.shape[2]] = inside
    return whole


def _between(x: np.ndarray, down: float, right: float) -> float:
    """Bilinear, at array indices."""
    i, j = int(down), int(right)
    p, q = down - i, right - j
    i1, j1 = min(i + 1, x.shape[0] - 1), min(j + 1, x.shape[1] - 1)
    upper = x[i, j] * (1 - q) + x[i, j1] * q
    return float(upper * (1 - p) + (x[i1, j] * (1 - q) + x[i1, j1] * q) * p)
