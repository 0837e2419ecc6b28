"""Truth is exact: what is marked is there, in every view, and nothing else differs."""

import numpy as np
import pytest
from scipy import ndimage

from ml.geometry import shapes
from ml.simulation.frame import AXES
from ml.simulation.model import SUBTYPES, VIEWS, Exam, FindingSpec
from ml.simulation.phantom import exam


def test_the_same_seed_gives_the_same_bytes() -> None:
    wish = (FindingSpec("mass", "L"), FindingSpec("calcification", "R"))
    first, second = (exam(5, density="c", findings=wish, spacing_mm=0.8) for _ in range(2))
    assert all(first.images[view].pixels.tobytes() == second.images[view].pixels.tobytes() for view in VIEWS)
    assert first.findings == second.findings


def test_another_seed_is_another_woman() -> None:
    first, second = (exam(seed, spacing_mm=0.8) for seed in (1, 2))
    assert all((first.images[view].pixels != second.images[view].pixels).mean() > 0.2 for view in VIEWS)


def test_pixels_are_12_bits_and_air_is_0(ill: Exam) -> None:
    for image in ill.images.values():
        assert image.pixels.dtype == np.uint16 and image.pixels.max() <= 4095
        air = ~ndimage.binary_dilation(image.breast, iterations=2)
        assert air.mean() > 0.1 and not image.pixels[air].any()


def test_a_finding_changes_its_own_breast_only(ill: Exam, well: Exam) -> None:
    only_left = exam(11, density="b", findings=(FindingSpec("mass", "L"),), noise=0, extras=False, spacing_mm=0.8)
    without = exam(11, density="b", noise=0, extras=False, spacing_mm=0.8)
    for view in VIEWS:
        same = np.array_equal(only_left.images[view].pixels, without.images[view].pixels)
        assert same == (view[0] == "R")


def test_what_a_finding_changes_lies_at_its_mark(ill: Exam, well: Exam) -> None:
    for view, image in ill.images.items():
        changed = np.abs(image.pixels.astype(float) - well.images[view].pixels)
        near = np.zeros(changed.shape, dtype=bool)
        for mask in image.masks.values():
            near |= ndimage.distance_transform_edt(~mask) < 110
        assert changed[near].max() > 60 and changed[~near].max() <= 1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_finding_is_brighter_than_the_tissue_that_it_replaced(ill: Exam, well: Exam, number: int) -> None:
    for view in ill.findings[number].marks:
        image = ill.images[view]
        gain = image.pixels.astype(float) - well.images[view].pixels
        mask = image.masks[number]
        ring = ndimage.binary_dilation(mask, iterations=12) & ~mask
        assert gain[mask].mean() > gain[ring].mean() + 5


def test_marks_lie_in_the_breast_and_hold_their_mask(ill: Exam) -> None:
    for number, finding in enumerate(ill.findings):
        assert set(finding.marks) == {view for view in VIEWS if view[0] == finding.laterality}
        for view, mark in finding.marks.items():
            image = ill.images[view]
            mask = image.masks[number]
            assert (mask & image.breast).sum() == mask.sum() > 50
            x0, y0, x1, y1 = shapes.bounds(mark.kind, mark.geometry)
            rows, cols = np.nonzero(mask)
            seen = (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
            assert np.allclose((x0, y0, x1, y1), seen, atol=4), (finding.type, view)


def test_a_finding_is_one_place_in_both_views(ill: Exam) -> None:
    """Both views show the same distance from the chest wall, up to how far the view reaches behind it."""
    for number, finding in enumerate(ill.findings):
        depths = []
        for view in finding.marks:
            image = ill.images[view]
            _, cols = np.nonzero(image.masks[number])
            u = cols.mean() if view[0] == "L" else image.pixels.shape[1] - cols.mean()
            depths.append(u * ill.spacing_mm)
        assert 2 < depths[1] - depths[0] < 13, finding.type


def test_the_views_look_along_directions_at_right_angles_to_their_detector() -> None:
    for axes in AXES.values():
        assert np.allclose(axes @ axes.T, np.eye(3))


@pytest.mark.parametrize("kind", sorted(SUBTYPES))
def test_every_subtype_can_be_asked_for(kind: str) -> None:
    for subtype in SUBTYPES[kind]:
        made = exam(4, findings=(FindingSpec(kind, "L", subtype),), views=("L-CC",), spacing_mm=0.8)
        assert made.findings[0].subtype == subtype and made.images["L-CC"].masks[0].any()


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="no such view"):
        exam(1, views=("L-XCCL",))
    with pytest.raises(ValueError, match="mass has no punctate"):
        exam(1, findings=(FindingSpec("mass", "L", "punctate"),), spacing_mm=0.8)
    with pytest.raises(ValueError, match="no room"):
        exam(1, findings=(FindingSpec("mass", "L", "round", 150.0),), spacing_mm=0.8)


def test_per_cent_dense_rises_with_the_class() -> None:
    shares = {}
    for density in ("a", "b", "c", "d"):
        made = [exam(seed, density=density, views=("L-CC", "R-MLO"), spacing_mm=0.8) for seed in range(2)]
        shares[density] = [
            float((image.dense[image.breast & ~image.muscle] > 0.35).mean())
            for one in made
            for image in one.images.values()
        ]
    for lower, higher in (("a", "b"), ("b", "c"), ("c", "d")):
        assert max(shares[lower]) < np.mean(shares[higher]) and np.mean(shares[lower]) < min(shares[higher])


def test_dense_tissue_masks_a_mass() -> None:
    """The same mass at the same place gains less where all is dense."""
    gains = {}
    for density in ("a", "d"):
        wish = (FindingSpec("mass", "L", "round", 12.0),)
        pair = [
            exam(9, density=density, findings=found, views=("L-CC",), noise=0, extras=False, spacing_mm=0.4)
            for found in (wish, ())
        ]
        mask = pair[0].images["L-CC"].masks[0]
        gains[density] = float(
            (pair[0].images["L-CC"].pixels[mask].astype(float) - pair[1].images["L-CC"].pixels[mask]).mean()
        )
    assert 0 < gains["d"] < 0.7 * gains["a"]


def test_the_power_spectrum_falls_as_that_of_mammograms() -> None:
    """Burgess 2001: power 1 / f^beta, beta about 3 between 0.15 and 1 per mm."""
    image = exam(3, density="c", views=("L-CC",)).images["L-CC"]
    size = 256
    row = image.pixels.shape[0] // 2 - size // 2
    patch = image.pixels[row : row + size, 60 : 60 + size].astype(float)
    window = np.hanning(size)
    power = np.abs(np.fft.fft2((patch - patch.mean()) * window[:, None] * window)) ** 2
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(size, 0.2)] * 2))
    edges = np.geomspace(0.1, 1.0, 12)
    band = np.digitize(frequency, edges)
    means = [power[band == number].mean() for number in range(1, len(edges))]
    slope, _ = np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)
    assert 2.3 < -slope < 3.7
