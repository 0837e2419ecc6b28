"""Masses among bright distractors: of three sizes, of three outlines, two in one image, one that is very small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.simulation.model import Bools, Floats
from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Images, Masks, Probe, balanced, dome, half_ellipse, levelled, stacked
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

MASS_RADII = (0.045, 0.075, 0.12)
"""Radii of masses as shares of the image's side."""
TWO_RADII = (MASS_RADII[0], MASS_RADII[2])
SMALL_RADIUS = 0.03
OUTLINES = ("smooth", "lobed", "spiculated")
_MASS, _DISTRACTOR = 4.0, 5.5
"""How far a mass and a distractor stand out, in standard deviations of the tissue."""


def mass_sizes(n: int, seed: int, size: int = 96, *, radii: Sequence[float] = MASS_RADII) -> Probe:
    """Masses of some sizes among bright distractors: x (n, size, size), y 1 where there is a mass.

    radii: of masses, as shares of the side. masks hold 0, and k + 1 for a mass of the k-th size; `boxes` reads boxes
    off them. Distractors are brighter than
    masses but no discs: bars and thin rings, more of them where there is no mass.
    """
    labels = balanced(n, seed, 2)
    pairs = [_mass_view(seed, index, size, radii if label else ()) for index, label in enumerate(labels)]
    return stacked(pairs, labels)


def two_lesions(
    n: int, seed: int, size: int = 96, *, radii: tuple[float, float] = TWO_RADII, apart: float = 0.21
) -> Probe:
    """Two masses or none: x (n, size, size), y 1 where there are two; masks hold 1 and 2, one value a mass.

    radii: the least and the greatest, as shares of the side. apart: how far centres are from one another at least.
    """
    labels = balanced(n, seed, 2)
    pairs = [_two(seed, index, size, bool(label), radii, apart) for index, label in enumerate(labels)]
    return stacked(pairs, labels)


def small_lesion_large_image(n: int, seed: int, size: int = 128, *, radius: float = SMALL_RADIUS) -> Probe:
    """One small mass or none: x (n, size, size), y 1 where there is one, masks 1 inside.

    radius: of the mass, a share of the side. Bars and rings stand about it; an image without a mass has one more.
    """
    labels = balanced(n, seed, 2)
    pairs = [_small(stream(seed, "small", str(index)), size, bool(label), radius) for index, label in enumerate(labels)]
    return stacked(pairs, labels)


def mass_one_of_two_views(n: int, seed: int, size: int = 64, *, radius: float = 0.09) -> Probe:
    """A mass that one of two views shows: x (n, 2, size, size), y 1 where there is one, masks as x.

    Which view it is is drawn for each breast, so that neither suffices. radius: of the mass, a share of the side.
    """
    return _one_of(2, "two views", n, seed, size, radius)


def mass_one_of_four_views(n: int, seed: int, size: int = 64, *, radius: float = 0.09) -> Probe:
    """A mass that one of four views shows: x (n, 4, size, size), y 1 where there is one, masks as x.

    Which view it is is drawn for each exam. radius: of the mass, a share of the side.
    """
    return _one_of(4, "four views", n, seed, size, radius)


def _one_of(count: int, name: str, n: int, seed: int, size: int, radius: float) -> Probe:
    """Sets of `count` views of which one shows the mass, where there is one."""
    labels = balanced(n, seed, 2)
    shown = stream(seed, "shown").integers(count, size=n)
    exams, masks = [], []
    for index, label in enumerate(labels):
        views = [
            _small(stream(seed, name, str(index), str(view)), size, bool(label) and view == shown[index], radius)
            for view in range(count)
        ]
        exams.append(np.stack([image for image, _ in views]))
        masks.append(np.stack([mask for _, mask in views]))
    return np.stack(exams), labels, np.stack(masks)


def roi_mass(n: int, seed: int, size: int = 64) -> Probe:
    """Patches of tissue, without air: y 1 for a mass near the middle, 0 for a bar or ring there; masks 1 inside."""
    labels = balanced(n, seed, 2)
    pairs = []
    for index, label in enumerate(labels):
        generator = stream(seed, "roi", str(index))
        image = _tissue(generator, size)
        place = size / 2 + generator.uniform(-0.12, 0.12, 2) * size
        radius = size * generator.uniform(0.14, 0.24)
        body = canvas.distance(size, place) < radius
        if label:
            image += _MASS * dome(size, place, radius)
        else:
            image += _DISTRACTOR * canvas.distractor(generator, size, place)
        pairs.append((levelled(image, np.ones_like(body)), (body & bool(label)).astype(np.uint8)))
    return stacked(pairs, labels)


def mass_shapes(n: int, seed: int, size: int = 64) -> Probe:
    """Patches with one mass each: y is the outline, 0 smooth, 1 lobed, 2 spiculated; masks 1 inside the outline.

    The inside is the same for all three (an even plateau in the same tissue) and covers the same share of the patch;
    spicules are part of the mass. There is no air.
    """
    labels = balanced(n, seed, len(OUTLINES))
    pairs = []
    for index, label in enumerate(labels):
        generator = stream(seed, "shape", str(index))
        inside = outlined(generator, size, OUTLINES[label])
        image = _tissue(generator, size) + _MASS * inside
        pairs.append((levelled(image, np.ones_like(inside)), inside.astype(np.uint8)))
    return stacked(pairs, labels)


def outlined(generator: np.random.Generator, size: int, outline: str) -> Bools:
    """A shape of a drawn area around a drawn place near the middle; the area does not depend on the outline."""
    share, place = generator.uniform(0.1, 0.2), size / 2 + generator.uniform(-0.08, 0.08, 2) * size
    row, col = np.mgrid[:size, :size]
    angle = np.arctan2(row - place[0], col - place[1])
    # The radius that gives the wanted area is found by rank: the pixels that are nearest, as the outline measures.
    reach = canvas.distance(size, place) / _profile(generator, outline, angle)
    inside: Bools = reach <= np.quantile(reach, share)
    return inside


def _profile(generator: np.random.Generator, outline: str, angle: Floats) -> Floats:
    """The outline's radius over the angle, for a mean radius about 1."""
    if outline == "smooth":
        return 1 + 0.08 * np.cos(2 * angle + generator.uniform(0, 2 * np.pi))
    if outline == "lobed":
        lobes = int(generator.integers(3, 6))
        return 0.75 + 0.4 * np.abs(np.cos(lobes / 2 * angle + generator.uniform(0, np.pi)))
    spicules = int(generator.integers(9, 14))
    return 0.85 + 0.75 * np.abs(np.cos(spicules / 2 * angle + generator.uniform(0, np.pi))) ** 10


def _tissue(generator: np.random.Generator, size: int) -> Floats:
    return power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4)


def _mass_view(seed: int, index: int, size: int, radii: Sequence[float]) -> tuple[Images, Masks]:
    generator = stream(seed, "mass sizes", str(index))
    breast = half_ellipse(generator, size)
    image = _tissue(generator, size)
    mask = np.zeros((size, size), dtype=np.uint8)
    free = canvas.places(generator, breast, 5)
    if radii:
        grade = int(generator.integers(len(radii)))
        radius, place = radii[grade] * size, free.pop()
        image += _MASS * dome(size, place, radius)
        mask[(canvas.distance(size, place) < radius) & breast] = grade + 1
    return _among(generator, image, breast, free), mask


def _two(
    seed: int, index: int, size: int, present: bool, radii: tuple[float, float], apart: float
) -> tuple[Images, Masks]:
    generator = stream(seed, "two lesions", str(index))
    breast = half_ellipse(generator, size)
    image = _tissue(generator, size)
    mask = np.zeros((size, size), dtype=np.uint8)
    free = canvas.places(generator, breast, 5, apart=apart)
    for number in (1, 2) if present else ():
        radius, place = size * generator.uniform(*radii), free.pop()
        image += _MASS * dome(size, place, radius)
        mask[(canvas.distance(size, place) < radius) & breast] = number
    return _among(generator, image, breast, free), mask


def _small(
    generator: np.random.Generator, size: int, present: bool, share: float = SMALL_RADIUS
) -> tuple[Images, Masks]:
    breast = half_ellipse(generator, size)
    image = _tissue(generator, size)
    mask = np.zeros((size, size), dtype=np.uint8)
    free = canvas.places(generator, breast, 5)
    if present:
        place = free.pop()
        image += _MASS * dome(size, place, share * size)
        mask[(canvas.distance(size, place) < share * size) & breast] = 1
    return _among(generator, image, breast, free), mask


def _among(generator: np.random.Generator, image: Floats, breast: Bools, free: list[Floats]) -> Images:
    """The image with a distractor at each free place."""
    for place in free:
        image += _DISTRACTOR * canvas.distractor(generator, len(image), place)
    return levelled(image, breast)
