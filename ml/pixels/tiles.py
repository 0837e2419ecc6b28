"""Large images in overlapping pieces, and the pieces together again. Source: methods.md 2.9."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
MIN_BREAST = 0.02
"""Tiles with a smaller share of breast are background."""


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side of `length` pixels, evenly spread; one at 0 if the side fits."""
    if length <= tile:
        return [0]
    count = math.ceil((length - tile) / (tile - overlap)) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def places(shape: tuple[int, int], tile: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Top-left corners (y, x) of all tiles, row by row."""
    for y in starts(shape[0], tile, overlap):
        for x in starts(shape[1], tile, overlap):
            yield y, x


def cut(image: npt.NDArray[np.generic], y: int, x: int, tile: int) -> npt.NDArray[np.generic]:
    """One tile (tile, tile), padded with 0 where the image ends."""
    piece = image[y : y + tile, x : x + tile]
    return np.pad(piece, ((0, tile - piece.shape[0]), (0, tile - piece.shape[1])))


def worth_reading(mask: npt.NDArray[np.bool_], y: int, x: int, tile: int) -> bool:
    """Whether a tile shows enough breast."""
    return float(mask[y : y + tile, x : x + tile].sum()) >= MIN_BREAST * tile * tile


def weights(tile: int) -> Floats:
    """(tile, tile), highest in the middle, where a network has most context."""
    line = np.maximum(1e-3, 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(tile) + 0.5) / tile))
    return np.outer(line, line).astype(np.float32)


def stitch(pieces: Iterable[tuple[int, int, Floats]], shape: tuple[int, int], tile: int, background: float) -> Floats:
    """Weighted mean of tiles (y, x, values (tile, tile)); `background` where no tile was read."""
    total, weight = np.zeros(shape, np.float64), np.zeros(shape, np.float64)
    w = weights(tile).astype(np.float64)
    for y, x, values in pieces:
        rows, cols = min(tile, shape[0] - y), min(tile, shape[1] - x)
        total[y : y + rows, x : x + cols] += w[:rows, :cols] * values[:rows, :cols]
        weight[y : y + rows, x : x + cols] += w[:rows, :cols]
    return np.divide(total, weight, out=np.full(shape, background), where=weight > 0).astype(np.float32)


def inner_boxes(
    boxes: npt.NDArray[np.float64], y: int, x: int, tile: int, overlap: int, shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which boxes (N, 4), in image pixels, this tile answers for: their centres are not near one of its inner edges.

    The neighbour sees those better, and one object must not be found twice.
    """
    cx, cy = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    rim = overlap / 2
    left, right = (x + rim if x > 0 else -np.inf), (x + tile - rim if x + tile < shape[1] else np.inf)
    top, bottom = (y + rim if y > 0 else -np.inf), (y + tile - rim if y + tile < shape[0] else np.inf)
    return (cx >= left) & (cx < right) & (cy >= top) & (cy < bottom)
