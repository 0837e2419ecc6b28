"""Calcifications of one or two pixels: the same dots in a cluster, or strewn over the breast."""

from __future__ import annotations

import numpy as np

from ml.simulation.model import Bools, Floats
from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Images, Masks, Probe, balanced, half_ellipse, levelled, stacked
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

RADIUS = 0.08
"""Of a cluster, as a share of the image's side."""
DOTS = 7, 10
"""Least and most dots of an image."""
_DOT = 6.0


def calc_cluster(
    n: int,
    seed: int,
    size: int = 64,
    *,
    radius: float = RADIUS,
    beta: float = 3.0,
    dots: tuple[int, int] = DOTS,
) -> Probe:
    """Dots of 1 or 2 pixels: x (n, size, size), y 1 where they form a cluster, masks 1 on the disc that holds it.

    Without a cluster there are as many dots, each on its own. radius: of a cluster, a share of the side; beta: how fast
    the power of the tissue falls, so that dots stand out more where it is smooth; dots: least and most.
    """
    labels = balanced(n, seed, 2)
    pairs = [_view(seed, index, size, bool(label), radius, beta, dots) for index, label in enumerate(labels)]
    return stacked(pairs, labels)


def _view(
    seed: int, index: int, size: int, clustered: bool, radius: float, beta: float, dots: tuple[int, int]
) -> tuple[Images, Masks]:
    generator = stream(seed, "calc cluster", str(index))
    breast = half_ellipse(generator, size)
    image = power_law(generator, (size, size), 1.0, beta=beta, coarsest_mm=size / 4)
    mask = np.zeros((size, size), dtype=np.uint8)
    count = int(generator.integers(dots[0], dots[1] + 1))
    if clustered:
        centre = canvas.places(generator, breast, 1)[0]
        disc = canvas.distance(size, centre) < radius * size
        spots = canvas.places(generator, disc, count, margin=0.0, apart=1.9 / size)
        mask[disc] = 1
    else:
        spots = canvas.places(generator, breast, count, margin=0.05, apart=0.11)
    for spot in spots:
        _dot(generator, image, spot, breast)
    return levelled(image, breast), mask


def _dot(generator: np.random.Generator, image: Floats, spot: Floats, breast: Bools) -> None:
    row, col = spot.astype(int)
    step = ((0, 0), (0, 1), (1, 0))[int(generator.integers(3))]
    for r, c in {(row, col), (row + step[0], col + step[1])}:
        if r < len(image) and c < len(image) and breast[r, c]:
            image[r, c] = max(image[r, c], image.mean()) + _DOT
