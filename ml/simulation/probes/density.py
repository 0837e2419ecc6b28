"""Density of tissue: the class is how far rough tissue reaches, and never how bright an image is."""

from __future__ import annotations

import numpy as np

from ml.simulation.model import Bools, Floats
from ml.simulation.probes.canvas import Images, Masks, Probe, balanced, half_ellipse, levelled, ranks, stacked
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

DENSE_SHARES = (0.08, 0.3, 0.55, 0.85)
CLUMPS = 4
"""Grey values around which those of a view of `clumped_greys` gather."""
_GATHERED = 0.3
"""Width of a clump, as a share of the distance between two."""


def graded_density(n: int, seed: int, size: int = 64) -> Probe:
    """Density a to d (y 0 to 3) of one view: x (n, size, size), masks 1 where tissue is dense.

    Dense tissue is rough and fat is smooth, both of the same brightness: the class is how far the rough part reaches.
    """
    labels = balanced(n, seed, 4)
    pairs = [rough_view(seed, f"graded {index}", size, DENSE_SHARES[label]) for index, label in enumerate(labels)]
    return stacked(pairs, labels)


def density_one_view(n: int, seed: int, size: int = 64) -> Probe:
    """Density that one view out of four shows: x (n, 4, size, size); the three others hold fat alone.

    Which view it is is drawn for each exam, so that no view on its own suffices. masks are as x.
    """
    labels = balanced(n, seed, 4)
    shown = stream(seed, "shown").integers(4, size=n)
    exams, masks = [], []
    for index, label in enumerate(labels):
        shares = [DENSE_SHARES[label] if view == shown[index] else 0.0 for view in range(4)]
        views = [rough_view(seed, f"one {index} {view}", size, share) for view, share in enumerate(shares)]
        exams.append(np.stack([image for image, _ in views]))
        masks.append(np.stack([mask for _, mask in views]))
    return np.stack(exams), labels, np.stack(masks)


def clumped_greys(n: int, seed: int, size: int = 64) -> Probe:
    """Exams of four views: x (n, 4, size, size), y 1 where the grey values of one view gather in a few clumps.

    All other views hold every grey value as often; clumps have their mean, spread and extremes, so that nothing but
    the histogram's shape tells. Each view has a contrast of its own, which a window undoes. Which view gathers is drawn
    for each exam. masks, as x, are 1 in the breast of that view.
    """
    labels = balanced(n, seed, 2)
    shown = stream(seed, "shown").integers(4, size=n)
    exams, masks = [], []
    for index, label in enumerate(labels):
        views, marked = [], []
        for view in range(4):
            generator = stream(seed, "clumped", f"{index} {view}")
            breast = half_ellipse(generator, size)
            image = levelled(power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4), breast)
            gathers = bool(label) and view == shown[index]
            shaped = _clumped(image, breast) if gathers else image
            views.append(np.where(breast, shaped * np.float32(generator.uniform(0.8, 1.0)), 0).astype(np.float32))
            marked.append((breast & gathers).astype(np.uint8))
        exams.append(np.stack(views))
        masks.append(np.stack(marked))
    return np.stack(exams), labels, np.stack(masks)


def _clumped(image: Images, breast: Bools) -> Images:
    """Grey values drawn towards the middle of their quarter; the lowest and the highest twentieth stay."""
    low, high = (float(level) for level in np.percentile(image[breast], (5, 95)))
    width = (high - low) / CLUMPS
    middle = low + (np.floor((image - low) / width) + 0.5) * width
    gathered = middle + _GATHERED * (image - middle)
    inside = breast & (image > low) & (image < high)
    values, told = image[inside], gathered[inside]
    # As wide as before: gathering alone would narrow the whole.
    told = values.mean() + (told - told.mean()) * values.std() / told.std()
    found = image.copy()
    found[inside] = told
    return found


def rough_view(seed: int, name: str, size: int, share: float) -> tuple[Images, Masks]:
    """One view (size, size) and where it is dense: rough tissue over `share` of the breast, smooth fat elsewhere."""
    generator = stream(seed, "probe", name)
    breast = half_ellipse(generator, size)
    image, dense = rough_tissue(generator, breast, share)
    return levelled(image, breast), dense.astype(np.uint8)


def rough_tissue(
    generator: np.random.Generator, breast: Bools, share: float, *, smooth: float = 4.5
) -> tuple[Floats, Bools]:
    """Grey values 0 to 1 in the breast, and the part that is rough; neither part is the brighter one.

    smooth: exponent of the power spectrum of the rest.
    """
    size = len(breast)
    place = power_law(generator, (size, size), 1.0, beta=4.0, coarsest_mm=size / 3)
    dense = np.zeros((size, size), dtype=bool)
    if share > 0:
        dense[breast] = place[breast] > np.quantile(place[breast], 1 - share)
    rough = power_law(generator, (size, size), 1.0, beta=0.5, coarsest_mm=3.0, finest_mm=0.8)
    fat = power_law(generator, (size, size), 1.0, beta=smooth, coarsest_mm=size / 5, finest_mm=2.0)
    # Ranks within each part, so that neither part is the brighter one.
    image = np.zeros((size, size))
    for part, texture in ((breast & dense, rough), (breast & ~dense, fat)):
        image[part] = ranks(texture[part])
    return image, dense
