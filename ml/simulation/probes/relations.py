"""Masses whose answer is not in themselves: how far another one lies, how fine they end.

Each family asks for one thing that a network sees only as a whole (`masses_apart`) or only at full resolution
(`spiculated_masses`).
"""

from __future__ import annotations

import numpy as np

from ml.simulation.model import Bools, Floats
from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Images, Masks, Probe, balanced, half_ellipse, levelled, stacked
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

APART_RADIUS, NEAR, FAR = 0.065, 0.34, 0.56
"""Radius of the two masses of `masses_apart`, and how far apart their centres are, as shares of the side."""
CORE, REACH, HALF_WIDTH = 0.03, 0.21, 0.0085
"""Radius of a spiculated mass's core, how far its spicules reach from its centre, half of their width."""
SPICULES = (6, 9)
_MASS, _RING = 4.0, 4.0


def masses_apart(n: int, seed: int, size: int = 64) -> Probe:
    """Patches with two equal masses: y 1 where they are near to one another, 0 where they are far; masks 1 on both.

    Whoever sees less than `NEAR - 2 * APART_RADIUS` of the side at once sees the same in both. There is no air.
    """
    labels = balanced(n, seed, 2)
    pairs = []
    for index, label in enumerate(labels):
        generator = stream(seed, "apart", str(index))
        middle = size / 2 + generator.uniform(-0.04, 0.04, 2) * size
        angle, half = generator.uniform(0, np.pi), (NEAR if label else FAR) * size / 2
        step = half * np.array([np.sin(angle), np.cos(angle)])
        image, mask = _tissue(generator, size), np.zeros((size, size), np.uint8)
        for place in (middle - step, middle + step):
            inside = canvas.distance(size, place) < APART_RADIUS * size
            image[inside] += _MASS
            mask[inside] = 1
        pairs.append((levelled(image, np.ones((size, size), dtype=bool)), mask))
    return stacked(pairs, labels)


def spiculated_masses(n: int, seed: int, size: int = 96) -> Probe:
    """A mass of a small core and long thin spicules, or none: x (n, size, size), masks 1 on core and spicules.

    Spicules are 1.6 pixels wide at 96: most of the mass is gone where an image is shrunk to a quarter. An image
    without a mass has one more ring.
    """
    labels = balanced(n, seed, 2)
    pairs = [_spiculated(stream(seed, "spiculated", str(i)), size, bool(label)) for i, label in enumerate(labels)]
    return stacked(pairs, labels)


def _tissue(generator: np.random.Generator, size: int) -> Floats:
    return power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4)


def _spiculated(generator: np.random.Generator, size: int, present: bool) -> tuple[Images, Masks]:
    breast, image = half_ellipse(generator, size), _tissue(generator, size)
    mask = np.zeros((size, size), dtype=np.uint8)
    place = canvas.places(generator, breast, 1, margin=REACH)[0]
    if present:
        inside = _star(generator, size, place) & breast
        image[inside] += _MASS
        mask[inside] = 1
    away = canvas.distance(size, place) > (REACH + 0.12) * size
    for free in canvas.places(generator, breast & away, 1 if present else 2, margin=0.02):
        image += _RING * canvas.ring(generator, size, free)
    return levelled(image, breast), mask


def _star(generator: np.random.Generator, size: int, place: Floats) -> Bools:
    """A disc and straight spicules from it, evenly turned but for a jitter."""
    row, col = np.mgrid[:size, :size]
    inside: Bools = canvas.distance(size, place) < CORE * size
    count = int(generator.integers(*SPICULES))
    turns = np.arange(count) + generator.uniform(-0.2, 0.2, count) + generator.uniform()
    for angle in 2 * np.pi * turns / count:
        along = (row - place[0]) * np.sin(angle) + (col - place[1]) * np.cos(angle)
        across = (row - place[0]) * np.cos(angle) - (col - place[1]) * np.sin(angle)
        reach = size * REACH * generator.uniform(0.8, 1.0)
        inside |= (along > 0) & (along < reach) & (np.abs(across) < HALF_WIDTH * size)
    return inside
