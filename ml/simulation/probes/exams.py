"""Whole exams and whole films: cues of three kinds, and a marker that goes with the label in training alone."""

from __future__ import annotations

import numpy as np

from ml.simulation.model import Bools, Floats
from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Images, Masks, Probe, balanced, dome, half_ellipse, levelled
from ml.simulation.probes.density import rough_tissue
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

LESION, ASYMMETRY, AGREEMENT = 1, 2, 3
"""The cues of `three_cues`, as they stand in its masks."""
MASS, BLOB = 0.12, 0.08
"""Radii, as shares of the side, of the lesion and of the blobs that may agree."""
ROUGH = (0.1, 0.5)
"""Share of rough tissue in a smooth and in a rough breast."""
DEPTHS, DIFFERENT = (0.15, 0.6), 0.18
"""Where blobs lie between chest wall and nipple, and how far apart those of two views are that do not agree."""
WITH, WITHOUT = 0.95, 0.05
"""How often a positive and a negative training film carry the marker."""
BREAST, INSIDE = 1, 2
LETTER = 0.97
"""Grey value of a marker, brighter than all tissue."""
_MASS, _RING, _BLOB = 1.6, 2.0, 1.0
"""How far things stand out, in the range of the tissue's grey values."""


def three_cues(n: int, seed: int, size: int = 48) -> Probe:
    """Exams of four views (R-CC, L-CC, R-MLO, L-MLO): x (n, 4, size, size); y 1 where one of three cues is there.

    LESION: a mass in one view, where other exams have a ring. ASYMMETRY: one breast is rough and the other smooth, in
    both views; else both are rough or both smooth. AGREEMENT: each view has a blob, and those of one breast are at the
    same depth in both views; else they are not. masks are as x and hold the number of the cue where it is.
    """
    labels = balanced(n, seed, 2)
    exams, masks = [], []
    for index, label in enumerate(labels):
        generator = stream(seed, "three cues", str(index))
        cue = int(generator.integers(LESION, AGREEMENT + 1)) if label else 0
        views, found = _exam(generator, size, cue)
        exams.append(views)
        masks.append(found)
    return np.stack(exams), labels, np.stack(masks)


def marker_confound(n: int, seed: int, size: int = 64, *, correlated: bool = True) -> Probe:
    """Films with a letter beside the breast: x (n, size, size), y 1 where there is a mass, masks 1 breast, 2 mass.

    correlated: the letter goes with the mass (0.95 of the positives, 0.05 of the negatives), as in a training set
    gathered at two places; else half of either has it. Whoever looks at the breast alone is right in both.
    """
    labels = balanced(n, seed, 2)
    pairs = [
        _film(stream(seed, "marker", str(index)), size, bool(label), correlated) for index, label in enumerate(labels)
    ]
    return canvas.stacked(pairs, labels)


def _exam(generator: np.random.Generator, size: int, cue: int) -> tuple[Images, Masks]:
    breast = half_ellipse(generator, size)
    side, view = int(generator.integers(2)), int(generator.integers(2))
    rough = [ROUGH[int(generator.integers(2))]] * 2
    if cue == ASYMMETRY:
        rough = [ROUGH[own == side] for own in range(2)]
    depths = [_depths(generator, agreed=cue == AGREEMENT and own == side) for own in range(2)]
    views, masks = [], []
    for slot in range(4):
        own, way = slot % 2, slot // 2
        image, dense = rough_tissue(generator, breast, rough[own], smooth=3.0)
        mask = np.zeros((size, size), dtype=np.uint8)
        blob = size * np.array([generator.uniform(0.35, 0.65), depths[own][way]])
        image += _BLOB * dome(size, blob, BLOB * size)
        if cue == AGREEMENT and own == side:
            mask[canvas.distance(size, blob) < BLOB * size] = AGREEMENT
        if cue == ASYMMETRY and own == side:
            mask[dense] = ASYMMETRY
        if (own, way) == (side, view):
            place = _away_from(generator, breast, blob)
            if cue == LESION:
                image += _MASS * dome(size, place, MASS * size)
                mask[(canvas.distance(size, place) < MASS * size) & breast] = LESION
            else:
                image += _RING * canvas.ring(generator, size, place)
        views.append(levelled(image, breast))
        masks.append(mask)
    return np.stack(views), np.stack(masks)


def _depths(generator: np.random.Generator, *, agreed: bool) -> tuple[float, float]:
    """Depths of one breast's blobs in its two views."""
    first = generator.uniform(*DEPTHS)
    if agreed:
        return first, first
    below, above = max(first - DIFFERENT - DEPTHS[0], 0.0), max(DEPTHS[1] - first - DIFFERENT, 0.0)
    step = generator.uniform(0, below + above)
    return first, DEPTHS[0] + step if step < below else first + DIFFERENT + step - below


def _away_from(generator: np.random.Generator, breast: Bools, blob: Floats) -> Floats:
    free = canvas.places(generator, breast, 6, margin=0.1, apart=0.12)
    return max(free, key=lambda place: float(np.hypot(*(place - blob))) > 0.2 * len(breast))


def _film(generator: np.random.Generator, size: int, mass: bool, correlated: bool) -> tuple[Images, Masks]:
    breast = half_ellipse(generator, size)
    image = power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4)
    mask = breast.astype(np.uint8)
    free = canvas.places(generator, breast, 3)
    if mass:
        place = free.pop()
        image += 4.0 * dome(size, place, MASS * size)
        mask[(canvas.distance(size, place) < MASS * size) & breast] = INSIDE
    for place in free:
        image += 5.5 * canvas.distractor(generator, size, place)
    film = levelled(image, breast)
    share = (WITH if mass else WITHOUT) if correlated else 0.5
    if generator.random() < share:
        _stamp(generator, film)
    return film, mask


def _stamp(generator: np.random.Generator, film: Images) -> None:
    """An L in the upper or lower corner away from the chest wall, where there is air."""
    size = len(film)
    tall, thick = round(0.12 * size), max(2, round(0.03 * size))
    row = int(generator.integers(1, 3)) if generator.random() < 0.5 else size - tall - int(generator.integers(1, 3))
    col = size - tall - int(generator.integers(1, 3))
    film[row : row + tall, col : col + thick] = LETTER
    film[row + tall - thick : row + tall, col : col + tall] = LETTER
