"""Where findings lie: inside the breast and clear of skin, muscle and one another, in every view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ml.simulation.breast import Breast
from ml.simulation.lesions.asymmetry import Asymmetry
from ml.simulation.lesions.calcification import Cluster
from ml.simulation.lesions.distortion import Distortion
from ml.simulation.lesions.mass import Mass
from ml.simulation.lesions.shape import Lesion
from ml.simulation.model import SUBTYPES, FindingSpec, Floats
from ml.simulation.outline import Anatomy

_TRIES = 400
_CLEAR_MM = 5.0
#: Diameters in mm as they come in screening.
_SIZES = {
    "mass": (8.0, 22.0), "calcification": (6.0, 16.0), "asymmetry": (22.0, 36.0),
    "architectural_distortion": (20.0, 34.0),
}  # fmt: skip
_KINDS: dict[str, type[Mass] | type[Cluster] | type[Asymmetry] | type[Distortion]] = {
    "mass": Mass,
    "calcification": Cluster,
    "asymmetry": Asymmetry,
    "architectural_distortion": Distortion,
}
Taken = list[tuple[Floats, float]]


def settled(spec: FindingSpec, generator: np.random.Generator) -> FindingSpec:
    """The wish with all that it left open drawn."""
    subtypes = SUBTYPES[spec.type]
    subtype = spec.subtype or subtypes[int(generator.integers(len(subtypes)))]
    if subtype not in subtypes:
        raise ValueError(f"{spec.type} has no {subtype}: it is one of {', '.join(subtypes)}")
    low, high = _SIZES[spec.type]
    size = spec.size_mm or float(np.exp(generator.uniform(np.log(low), np.log(high))))
    return FindingSpec(spec.type, spec.laterality, subtype, round(size, 1))


def place(
    spec: FindingSpec, generator: np.random.Generator, breast: Breast, views: Mapping[str, Anatomy], taken: Taken
) -> Lesion:
    """The lesion of a settled wish at a free place, which is added to `taken`.

    Raises ValueError where the breast has no room for one of that size.
    """
    assert spec.subtype is not None and spec.size_mm is not None
    radius = spec.size_mm / 2
    centre = _free(generator, breast, list(views.values()), radius, taken)
    taken.append((centre, radius))
    return _KINDS[spec.type].draw(generator, centre, spec.subtype, spec.size_mm)


def _free(
    generator: np.random.Generator, breast: Breast, views: Sequence[Anatomy], radius: float, taken: Taken
) -> Floats:
    for _ in range(_TRIES):
        x = breast.depth * generator.uniform(0.22, 0.72)
        y, z = breast.half_width * (np.array([0.1, 0.08]) + generator.uniform(-0.5, 0.5, 2))
        centre = np.array([x, y, z])
        apart = all(np.linalg.norm(centre - other) > radius + reach + _CLEAR_MM for other, reach in taken)
        if apart and all(_fits(view, centre, radius) for view in views):
            return centre
    raise ValueError(f"no room for a finding of {2 * radius:g} mm")


def _fits(view: Anatomy, centre: Floats, radius: float) -> bool:
    u, v = view.frame.project(centre)
    clear = radius + _CLEAR_MM
    return view.depth_at(u, v) > clear and view.muscle_at(u, v) < -radius and u > radius + 2
