"""What a mark covers as pixels: drawn shapes filled, stored masks and label maps read.

A pixel belongs to a shape if its centre does; coordinates are corner convention. Rows and marks are plain JSON values
of the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage.draw import polygon2mask

from ml.geometry import shapes
from ml.runs.manifest import TISSUES

Mask = npt.NDArray[np.bool_]
MaskOf = Callable[[Mapping[str, Any], Mapping[str, Any]], Mask]
"""From a manifest row and a mark of kind mask to its pixels (rows, cols)."""
DRAWN = ("box", "circle", "ellipse", "polygon")


class MaskUnreadable(ValueError):
    """A stored mask is absent, outside its folder, or not of its image's size."""


def filled(kind: str, geometry: Any, rows: int, cols: int) -> Mask:
    """A drawn shape as a mask (rows, cols). Round shapes exactly, polygons with their holes; a point covers nothing."""
    out = np.zeros((rows, cols), bool)
    if kind == "point":
        return out
    x0, y0, x1, y1 = shapes.bounds(kind, geometry)
    left, top = max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0)
    right, bottom = min(int(np.ceil(x1)), cols), min(int(np.ceil(y1)), rows)
    if right <= left or bottom <= top:
        return out
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    out[top:bottom, left:right] = _covers(kind, geometry, x, y)
    return out


def tissues(pixels: npt.NDArray[np.uint8], classes: Mapping[str, int]) -> npt.NDArray[np.uint8]:
    """A label map as places in `TISSUES`; classes: the grey value of each tissue that it names."""
    places = np.zeros(256, np.uint8)
    for name, value in classes.items():
        places[value] = TISSUES.index(name)
    found: npt.NDArray[np.uint8] = places[pixels]
    return found


def stored(root: Path, path: str, rows: int, cols: int) -> npt.NDArray[np.uint8]:
    """An 8-bit picture of the image's size under `root`: a mask (non-zero inside) or a label map of grey values.

    Raises MaskUnreadable.
    """
    full = (root / path).resolve()
    if not full.is_relative_to(root.resolve()) or not full.is_file():
        raise MaskUnreadable(f"no mask at {path!r}")
    with Image.open(full) as opened:
        pixels = np.asarray(opened)
    if pixels.shape[:2] != (rows, cols):
        raise MaskUnreadable(f"a mask of {pixels.shape[:2]} pixels for an image of {(rows, cols)}")
    flat: npt.NDArray[np.uint8] = (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.uint8)
    return flat


def reader(root: Path) -> MaskOf:
    """Reads the stored masks of marks under `root`."""
    return lambda row, mark: stored(root, mark["geometry"]["path"], row["rows"], row["cols"]) > 0


def covered(row: Mapping[str, Any], mark: Mapping[str, Any], mask_of: MaskOf | None = None) -> Mask:
    """The pixels of a mark of any kind but label_map. Raises MaskUnreadable without a way to read a stored mask."""
    if mark["kind"] != "mask":
        return filled(mark["kind"], mark["geometry"], row["rows"], row["cols"])
    if mask_of is None:
        raise MaskUnreadable("stored masks need a folder to be read from")
    return mask_of(row, mark)


def extent(row: Mapping[str, Any], mark: Mapping[str, Any], mask_of: MaskOf | None = None) -> shapes.Bounds | None:
    """Box (x0, y0, x1, y1) around a mark; None for an empty stored mask, or one that cannot be read here."""
    if mark["kind"] != "mask":
        return shapes.bounds(mark["kind"], mark["geometry"])
    return None if mask_of is None else box_around(mask_of(row, mark))


def box_around(mask: Mask) -> shapes.Bounds | None:
    """The smallest box (x0, y0, x1, y1) of whole pixels around a mask; None where it covers nothing."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)) if len(ys) else None


def _covers(kind: str, geometry: Any, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    if kind == "box":
        x0, y0, x1, y1 = shapes.bounds(kind, geometry)
        return (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    if kind in ("circle", "ellipse"):
        cx, cy, rx, ry, degrees = map(float, geometry if kind == "ellipse" else (*geometry, geometry[2], 0.0))
        if min(rx, ry) <= 0:
            return np.zeros(x.shape, bool)
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        u, v = (x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin
        return (u / rx) ** 2 + (v / ry) ** 2 <= 1.0
    outer, *holes = (_ring(ring, x, y) for ring in shapes.polygon(kind, geometry))
    for hole in holes:
        outer &= ~hole
    return outer


def _ring(ring: list[list[float]], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    corners = np.asarray(ring, np.float64)[:, ::-1] - [y[0, 0], x[0, 0]]
    inside: Mask = polygon2mask(x.shape, corners)
    return inside
