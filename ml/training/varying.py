"""Variation of images where the network is: what `ml.pixels.augment` does on the host, in a GPU's own memory.

On a mammogram of the size that `large` methods read, a core takes a second for what a GPU does in some milliseconds.
Both draw the same movement and the same tones from a seed; noise comes from another generator. A batch is varied in few
operations, whatever the sizes of its images, and of each only what the batch shows: with a small network the host is
busier with asking than the GPU with answering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ml.geometry.affine import apply_boxes
from ml.methods.spec import Window
from ml.pixels.augment import Variation
from ml.pixels.prepare import Prepared

PIXELS_AT_ONCE = 2**24
"""Small images go together; large ones need memory."""
REACH = 1.0
"""How far from its place bilinear sampling reads, in pixels."""


@dataclass(frozen=True)
class Late:
    """How an image is varied where its batch is put together.

    size (rows, cols) of the image; air: what is outside the breast stays. window: of the varied image, the part that is
    wanted, 0 where it reaches beyond. source: of the image, the part that the window is made of.
    """

    variation: Variation
    air: bool
    size: tuple[int, int]
    window: Window
    source: Window

    @classmethod
    def of(cls, picture: Prepared, variation: Variation, window: Window | None = None) -> Late:
        """The whole image, or a window of it."""
        rows, cols = picture.x.shape
        whole = (0, 0, rows, cols)
        source = whole if window in (None, whole) else _source(variation, (rows, cols), window or whole)
        return cls(variation, picture.air, (rows, cols), window or whole, source)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The source of x or mask (rows, cols)."""
        top, left, rows, cols = self.source
        return image[top : top + rows, left : left + cols]

    @property
    def place(self) -> tuple[int, int]:
        """(row, column) of the window at which the source lies where nothing moves."""
        return max(self.source[0] - self.window[0], 0), max(self.source[1] - self.window[1], 0)

    def row(self) -> list[float]:
        """What `_Table` says of the image."""
        (top, left, rows, cols), (height, width), source = self.window, self.size, self.source
        back = self.variation.back[:2]
        # From window to source: the inner products stay small, so that float32 does.
        origin = back[:, :2] @ (left, top) + back[:, 2] - (source[1], source[0])
        factor, added = self.variation.tones.line or (1.0, 0.0)
        exponent = self.variation.tones.exponent
        return [
            *back[0, :2], origin[0], *back[1, :2], origin[1],
            -source[1], width - source[1], -source[0], height - source[0], source[3], source[2],
            -left, min(cols, width - left), -top, min(rows, height - top),
            1.0 if exponent is None else exponent, factor, added, float(self.air),
        ]  # fmt: skip


def _source(variation: Variation, size: tuple[int, int], window: Window) -> Window:
    """The whole pixels of an image that a window of the varied one is made of; one at least."""
    top, left, rows, cols = window
    box = np.array([left, top, left + cols, top + rows], np.float64)
    if not variation.still:
        box = apply_boxes(variation.back, [box])[0] + (-REACH, -REACH, REACH, REACH)
    (first_row, end_row), (first_col, end_col) = (
        _within(low, high, end) for low, high, end in ((box[1], box[3], size[0]), (box[0], box[2], size[1]))
    )
    return first_row, first_col, end_row - first_row, end_col - first_col


def _within(low: float, high: float, end: int) -> tuple[int, int]:
    first = min(max(int(np.floor(low)), 0), end - 1)
    return first, max(min(int(np.ceil(high)), end), first + 1)


def vary(
    x: Sequence[Tensor], mask: Sequence[Tensor], late: Sequence[Late], frame: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    """x in [0, 1] and mask bool (N, *frame): the windows varied, at the frame's upper left, 0 beyond them.

    Of each image are given its sources, (rows, cols). Where there is no air, x is 0 outside the mask.
    """
    largest = tuple(max(own.source[k] for own in late) for k in (2, 3))
    at_once = max(PIXELS_AT_ONCE // max(largest[0] * largest[1], frame[0] * frame[1]), 1)
    parts = [
        _varied(x[n : n + at_once], mask[n : n + at_once], late[n : n + at_once], frame, device)
        for n in range(0, len(x), at_once)
    ]
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part for part, _ in parts]), torch.cat([inside for _, inside in parts])


def _varied(
    x: Sequence[Tensor], mask: Sequence[Tensor], late: Sequence[Late], frame: tuple[int, int], device: torch.device
) -> tuple[Tensor, Tensor]:
    table = _Table(late, device)
    i, j = (torch.arange(n, device=device, dtype=torch.float32) + 0.5 for n in (frame[1], frame[0]))
    if all(own.variation.still for own in late):
        places = [own.place for own in late]
        pixels, inside = _laid(x, places, frame, device), _laid(mask, places, frame, device)
    else:
        room = max(own.source[2] for own in late), max(own.source[3] for own in late)
        places = [(0, 0)] * len(late)
        pixels, inside = _moved(_laid(x, places, room, device), _laid(mask, places, room, device), table, i, j)
    shown = table.between(i, table.left, table.right) & table.between(j[:, None], table.top, table.bottom)
    inside &= shown
    pixels = _toned(pixels, late, table).clamp(0, 1)
    return torch.where(inside | (shown & (table.air > 0)), pixels, 0), inside


class _Table:
    """What is known of each image of a batch, brought to the device at once; every column (N, 1, 1)."""

    def __init__(self, late: Sequence[Late], device: torch.device) -> None:
        rows = np.array([own.row() for own in late], dtype=np.float32)
        columns = torch.from_numpy(rows).to(device, non_blocking=True)[..., None, None].unbind(1)
        self.across, self.down = columns[0:3], columns[3:6]
        self.least_x, self.most_x, self.least_y, self.most_y, self.width, self.height = columns[6:12]
        self.left, self.right, self.top, self.bottom = columns[12:16]
        self.exponent, self.factor, self.added, self.air = columns[16:20]

    @staticmethod
    def between(place: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Whether places lie in [low, high]."""
        return (place >= low) & (place <= high)


def _laid(
    images: Sequence[Tensor], places: Sequence[tuple[int, int]], room: tuple[int, int], device: torch.device
) -> Tensor:
    """Images (h, w) in one tensor (N, *room), each at its place; 0 elsewhere."""
    laid = torch.zeros(len(images), *room, dtype=images[0].dtype, device=device)
    for own, (top, left), into in zip(images, places, laid.unbind(0), strict=True):
        into[top : top + own.shape[0], left : left + own.shape[1]] = own.to(device, non_blocking=True)
    return laid


def _moved(x: Tensor, mask: Tensor, table: _Table, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear and nearest; edge pixels stand for half a pixel more, and what lies farther out is 0."""
    across, down = (own[0] * i + (own[1] * j[:, None] + own[2]) for own in (table.across, table.down))
    inside = table.between(across, table.least_x, table.most_x) & table.between(down, table.least_y, table.most_y)
    # Images are smaller than what they lie in: where they end is not where `grid_sample` sees an edge.
    across = torch.minimum(across.clamp(min=0.5), table.width - 0.5)
    down = torch.minimum(down.clamp(min=0.5), table.height - 0.5)
    grid = torch.stack([across * (2 / x.shape[2]) - 1, down * (2 / x.shape[1]) - 1], -1)
    moved = functional.grid_sample(x[:, None], grid, "bilinear", "border", align_corners=False)[:, 0]
    nearest = functional.grid_sample(mask[:, None].to(x), grid, "nearest", "border", align_corners=False)[:, 0]
    return torch.where(inside, moved, 0), (nearest > 0.5) & inside


def _toned(x: Tensor, late: Sequence[Late], table: _Table) -> Tensor:
    if any(own.variation.tones.exponent is not None for own in late):
        x = x.pow(table.exponent)
    if any(own.variation.tones.line is not None for own in late):
        x = x * table.factor + table.added
    if any(own.variation.tones.noise is not None for own in late):
        x = x.clone()
        for own, into in zip(late, x.unbind(0), strict=True):
            if own.variation.tones.noise is not None:
                _add_noise(own, into)
    return x


def _add_noise(late: Late, x: Tensor) -> None:
    """Noise of the whole image is drawn, so that a window has the noise of its place."""
    tones, (top, left, rows, cols) = late.variation.tones, late.window
    generator = torch.Generator(x.device).manual_seed(int(tones.rng.integers(2**63)))
    noise = torch.randn(late.size, generator=generator, device=x.device)
    noise = noise[max(top, 0) : max(top + rows, 0), max(left, 0) : max(left + cols, 0)]
    below, right = max(-top, 0), max(-left, 0)
    x[below : below + noise.shape[0], right : right + noise.shape[1]] += float(tones.noise or 0) * noise
