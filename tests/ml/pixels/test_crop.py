import numpy as np

from ml.geometry.affine import apply_points
from ml.pixels.crop import framed, mask_box, with_margin


def test_the_box_of_a_mask_is_half_open() -> None:
    mask = np.zeros((10, 20), bool)
    mask[2:5, 3:9] = True
    assert mask_box(mask) == (3, 2, 9, 5)
    assert mask_box(np.zeros((10, 20), bool)) == (0, 0, 20, 10)


def test_the_margin_is_never_at_the_chest_wall_and_stays_in_the_image() -> None:
    assert with_margin((0, 30, 50, 90), (25, 25), 100, 60) == (0, 5, 60, 100)
    assert with_margin((4, 30, 50, 60), (5, 5), 100, 100) == (4, 25, 55, 65)


def test_a_crop_keeps_its_scale_and_its_size_is_rounded_up() -> None:
    frame = framed((10, 20, 110, 220), (0.35, 0.35), size=None, fit="pad", max_long_px=None)
    assert frame.shape == (70, 35)
    assert np.allclose(apply_points(frame.matrix, [[10, 20], [110, 220]]), [[0, 0], [35, 70]])


def test_what_is_too_large_is_shrunk_in_both_directions_alike() -> None:
    for options in ({"size": (100, 80)}, {"size": None, "max_long_px": 100}):
        frame = framed((0, 0, 100, 400), (1, 1), fit="pad", **{"max_long_px": None, **options})
        assert frame.matrix[0, 0] == frame.matrix[1, 1] == 0.25


def test_padding_is_at_the_right_and_shared_above_and_below() -> None:
    frame = framed((0, 0, 40, 60), (1, 1), size=(100, 80), fit="pad", max_long_px=None)
    assert frame.shape == (100, 80) and apply_points(frame.matrix, [[0, 0]])[0].tolist() == [0, 20]


def test_only_squashing_changes_the_shape() -> None:
    frame = framed((0, 0, 50, 200), (1, 1), size=(100, 100), fit="squash", max_long_px=None)
    assert frame.matrix[0, 0] == 2 and frame.matrix[1, 1] == 0.5
