"""Small images for learning checks, whose label cannot be read off their brightness.

Each family is a function of (n, seed, size) and answers with (x, y, masks): x float32 in [0, 1], air 0, chest wall at
the left; y int64; masks where the label comes from. All views of a family have the same grey values, in another order,
so that mean, spread and extremes tell nothing; a model has to look at shape, texture or place.
"""

from collections.abc import Callable, Mapping

from ml.simulation.probes.calcifications import calc_cluster
from ml.simulation.probes.canvas import Images, Labels, Masks, Probe, boxes
from ml.simulation.probes.density import DENSE_SHARES, clumped_greys, density_one_view, graded_density
from ml.simulation.probes.exams import marker_confound, three_cues
from ml.simulation.probes.masses import (
    mass_one_of_four_views,
    mass_one_of_two_views,
    mass_shapes,
    mass_sizes,
    roi_mass,
    small_lesion_large_image,
    two_lesions,
)
from ml.simulation.probes.pairs import mirrored_pair
from ml.simulation.probes.relations import masses_apart, spiculated_masses
from ml.simulation.probes.textures import equal_histogram, equal_spectrum

__all__ = [
    "DENSE_SHARES", "FAMILIES", "Images", "Labels", "Masks", "Probe", "boxes", "calc_cluster", "clumped_greys",
    "density_one_view", "equal_histogram", "equal_spectrum", "graded_density", "marker_confound",
    "mass_one_of_four_views", "mass_one_of_two_views", "mass_shapes", "mass_sizes", "masses_apart", "mirrored_pair",
    "roi_mass", "small_lesion_large_image", "spiculated_masses", "three_cues", "two_lesions",
]  # fmt: skip

FAMILIES: Mapping[str, Callable[..., Probe]] = {
    family.__name__: family
    for family in (
        graded_density, density_one_view, mass_sizes, mass_shapes, roi_mass, calc_cluster, mirrored_pair,
        equal_histogram, equal_spectrum, three_cues, marker_confound, small_lesion_large_image, two_lesions,
        mass_one_of_two_views, masses_apart, spiculated_masses,
        mass_one_of_four_views, clumped_greys,
    )
}  # fmt: skip
"""All families by name; each is tested by being in this table."""
