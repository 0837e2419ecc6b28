"""What all families draw on and with: a breast at the left edge, discs, bars, rings, grey values that tell nothing.

Places are (row, column) in pixels; lengths are shares of the image's side unless a name ends in px.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ml.simulation.model import Bools, Floats
from ml.simulation.streams import stream

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Masks = npt.NDArray[np.uint8]
Probe = tuple[Images, Labels, Masks]

GREY_FROM, GREY_TO = 0.15, 0.95


def balanced(n: int, seed: int, classes: int) -> Labels:
    """As many of each class as can be, in a drawn order."""
    return stream(seed, "labels").permutation(np.arange(n) % classes).astype(np.int64)


def stacked(pairs: list[tuple[Images, Masks]], labels: Labels) -> Probe:
    """Images and masks one by one, as a probe."""
    return np.stack([image for image, _ in pairs]), labels, np.stack([mask for _, mask in pairs])


def boxes(mask: Masks) -> Floats:
    """(k, 4) boxes [x0, y0, x1, y1] of the parts of one mask (size, size), one for each value, corner origin."""
    found = [part for part in ndimage.find_objects(mask) if part is not None]
    corners = [[cols.start, rows.start, cols.stop, rows.stop] for rows, cols in found]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def half_ellipse(generator: np.random.Generator, size: int) -> Bools:
    """A breast: half an ellipse at the left edge."""
    depth, half = size * generator.uniform(0.75, 0.92), size * generator.uniform(0.4, 0.48)
    row, col = np.mgrid[:size, :size] + 0.5
    inside: Bools = (col / depth) ** 2 + ((row - size / 2) / half) ** 2 < 1
    return inside


def levelled(image: Floats, inside: Bools) -> Images:
    """The same grey values for every image: each pixel's rank inside, between two fixed greys; outside is 0."""
    level = np.zeros(image.shape, dtype=np.float32)
    level[inside] = GREY_FROM + (GREY_TO - GREY_FROM) * ranks(image[inside])
    return level


def ranks(values: Floats) -> Floats:
    """Ranks as shares, 0 to 1."""
    order = np.empty(len(values))
    order[np.argsort(values, kind="stable")] = np.arange(len(values))
    return order / max(len(values) - 1, 1)


def places(
    generator: np.random.Generator, inside: Bools, count: int, *, margin: float = 0.13, apart: float = 0.21
) -> list[Floats]:
    """Up to `count` places, `margin` from the edge of the tissue and `apart` from one another."""
    size = inside.shape[0]
    inner = np.argwhere(ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] > margin * size)
    found: list[Floats] = []
    for place in generator.permutation(inner).astype(float):
        if all(np.hypot(*(place - other)) > apart * size for other in found):
            found.append(place)
        if len(found) == count:
            break
    return found


def distance(size: int, place: Floats) -> Floats:
    """(size, size) distance in pixels from a place."""
    row, col = np.mgrid[:size, :size]
    return np.hypot(row - place[0], col - place[1])


def dome(size: int, place: Floats, radius_px: float) -> Floats:
    """A mass: 1 at its centre, 0 from its rim on."""
    return np.sqrt(np.clip(1 - (distance(size, place) / radius_px) ** 2, 0, None))


def distractor(generator: np.random.Generator, size: int, place: Floats) -> Floats:
    """A thin bar or a thin ring: bright as a mass, and no disc."""
    return (bar if generator.random() < 0.5 else ring)(generator, size, place)


def bar(generator: np.random.Generator, size: int, place: Floats) -> Floats:
    """A thin line, a fifth of the side long."""
    row, col = np.mgrid[:size, :size]
    angle = generator.uniform(0, np.pi)
    along = (row - place[0]) * np.sin(angle) + (col - place[1]) * np.cos(angle)
    across = (row - place[0]) * np.cos(angle) - (col - place[1]) * np.sin(angle)
    return ((np.abs(along) < 0.1 * size) & (np.abs(across) < max(0.8, 0.012 * size))).astype(float)


def ring(generator: np.random.Generator, size: int, place: Floats) -> Floats:
    """A thin circle."""
    radius = size * generator.uniform(0.04, 0.1)
    return (np.abs(distance(size, place) - radius) < max(0.7, 0.01 * size)).astype(float)
