"""Small images for learning checks, whose label cannot be read off their brightness.

Each family is a function of (n, seed, size) and answers with (x, y, masks): x float32 in [0, 1], air 0, chest wall at
the left; y int64; masks where the label comes from. All views of a family have the same grey values, in another order,
so that mean, spread and extremes tell nothing; a model has to look at shape, texture or place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ml.simulation.model import Bools, Floats
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Masks = npt.NDArray[np.uint8]
Probe = tuple[Images, Labels, Masks]

DENSE_SHARES = (0.08, 0.3, 0.55, 0.85)
#: Radii of masses as shares of the image's side.
MASS_RADII = (0.045, 0.075, 0.12)
_GREY_FROM, _GREY_TO = 0.15, 0.95


def graded_density(n: int, seed: int, size: int = 64) -> Probe:
    """Density a to d (y 0 to 3) of one view: x (n, size, size), masks 1 where tissue is dense.

    Dense tissue is rough and fat is smooth, both of the same brightness: the class is how far the rough part reaches.
    """
    labels = _balanced(n, seed, 4)
    pairs = [_view(seed, f"graded {index}", size, DENSE_SHARES[label]) for index, label in enumerate(labels)]
    return np.stack([image for image, _ in pairs]), labels, np.stack([mask for _, mask in pairs])


def density_one_view(n: int, seed: int, size: int = 64) -> Probe:
    """Density that one view out of four shows: x (n, 4, size, size); the three others hold fat alone.

    Which view it is is drawn for each exam, so that no view on its own suffices. masks are as x.
    """
    labels = _balanced(n, seed, 4)
    shown = stream(seed, "shown").integers(4, size=n)
    exams, masks = [], []
    for index, label in enumerate(labels):
        shares = [DENSE_SHARES[label] if view == shown[index] else 0.0 for view in range(4)]
        views = [_view(seed, f"one {index} {view}", size, share) for view, share in enumerate(shares)]
        exams.append(np.stack([image for image, _ in views]))
        masks.append(np.stack([mask for _, mask in views]))
    return np.stack(exams), labels, np.stack(masks)


def mass_sizes(n: int, seed: int, size: int = 96) -> Probe:
    """Masses of three sizes among bright distractors: x (n, size, size), y 1 where there is a mass.

    masks hold 0, and 1, 2 or 3 for a mass of that size; `boxes` reads boxes off them. Distractors are brighter than
    masses but no discs: bars and thin rings, more of them where there is no mass.
    """
    labels = _balanced(n, seed, 2)
    pairs = [_mass_view(seed, index, size, bool(label)) for index, label in enumerate(labels)]
    return np.stack([image for image, _ in pairs]), labels, np.stack([mask for _, mask in pairs])


def boxes(mask: Masks) -> Floats:
    """(k, 4) boxes [x0, y0, x1, y1] of the masses in one mask (size, size), corner origin."""
    found = [part for part in ndimage.find_objects(mask) if part is not None]
    corners = [[cols.start, rows.start, cols.stop, rows.stop] for rows, cols in found]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def _balanced(n: int, seed: int, classes: int) -> Labels:
    """As many of each class as can be, in a drawn order."""
    return stream(seed, "labels").permutation(np.arange(n) % classes).astype(np.int64)


def _view(seed: int, name: str, size: int, share: float) -> tuple[Images, Masks]:
    generator = stream(seed, "probe", name)
    breast = _breast(generator, size)
    place = power_law(generator, (size, size), 1.0, beta=4.0, coarsest_mm=size / 3)
    dense = np.zeros((size, size), dtype=bool)
    if share > 0:
        dense[breast] = place[breast] > np.quantile(place[breast], 1 - share)
    rough = power_law(generator, (size, size), 1.0, beta=0.5, coarsest_mm=3.0, finest_mm=0.8)
    smooth = power_law(generator, (size, size), 1.0, beta=4.5, coarsest_mm=size / 5, finest_mm=2.0)
    # Ranks within each part, so that neither part is the brighter one.
    image = np.zeros((size, size))
    for part, texture in ((breast & dense, rough), (breast & ~dense, smooth)):
        image[part] = _ranks(texture[part])
    return _levelled(image, breast), dense.astype(np.uint8)


def _mass_view(seed: int, index: int, size: int, present: bool) -> tuple[Images, Masks]:
    generator = stream(seed, "mass sizes", str(index))
    breast = _breast(generator, size)
    image = power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4)
    mask = np.zeros((size, size), dtype=np.uint8)
    places = _places(generator, breast, size, 5)
    if present:
        grade = int(generator.integers(3))
        radius, place = MASS_RADII[grade] * size, places.pop()
        distance = _distance(size, place)
        image += 4.0 * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, None))
        mask[(distance < radius) & breast] = grade + 1
    for place in places:
        image += 5.5 * (_bar if generator.random() < 0.5 else _ring)(generator, size, place)
    return _levelled(image, breast), mask


def _breast(generator: np.random.Generator, size: int) -> Bools:
    """Half an ellipse at the left edge."""
    depth, half = size * generator.uniform(0.75, 0.92), size * generator.uniform(0.4, 0.48)
    row, col = np.mgrid[:size, :size] + 0.5
    inside: Bools = (col / depth) ** 2 + ((row - size / 2) / half) ** 2 < 1
    return inside


def _levelled(image: Floats, breast: Bools) -> Images:
    """The same grey values for every image: each pixel's rank in the breast, between two fixed greys; air is 0."""
    levelled = np.zeros(image.shape, dtype=np.float32)
    levelled[breast] = _GREY_FROM + (_GREY_TO - _GREY_FROM) * _ranks(image[breast])
    return levelled


def _ranks(values: Floats) -> Floats:
    """Ranks as shares, 0 to 1."""
    order = np.empty(len(values))
    order[np.argsort(values, kind="stable")] = np.arange(len(values))
    return order / max(len(values) - 1, 1)


def _places(generator: np.random.Generator, breast: Bools, size: int, count: int) -> list[Floats]:
    """(row, column) of places well inside the breast, apart from one another."""
    inner = np.argwhere(ndimage.distance_transform_edt(np.pad(breast, 1))[1:-1, 1:-1] > 0.13 * size)
    places: list[Floats] = []
    for place in generator.permutation(inner).astype(float):
        if all(np.hypot(*(place - other)) > 0.21 * size for other in places):
            places.append(place)
        if len(places) == count:
            break
    return places


def _distance(size: int, place: Floats) -> Floats:
    row, col = np.mgrid[:size, :size]
    return np.hypot(row - place[0], col - place[1])


def _bar(generator: np.random.Generator, size: int, place: Floats) -> Floats:
    row, col = np.mgrid[:size, :size]
    angle = generator.uniform(0, np.pi)
    along = (row - place[0]) * np.sin(angle) + (col - place[1]) * np.cos(angle)
    across = (row - place[0]) * np.cos(angle) - (col - place[1]) * np.sin(angle)
    return ((np.abs(along) < 0.1 * size) & (np.abs(across) < max(0.8, 0.012 * size))).astype(float)


def _ring(generator: np.random.Generator, size: int, place: Floats) -> Floats:
    radius = size * generator.uniform(0.04, 0.1)
    return (np.abs(_distance(size, place) - radius) < max(0.7, 0.01 * size)).astype(float)
