import numpy as np
import pytest

from ml.geometry.affine import apply_points
from ml.pixels.header import PixelInfo
from ml.pixels.orientation import canonical_turn, chest_wall_side
from tests.ml.pixels.files import a_breast


def info(side: str | None, view: str | None, orientation: tuple[str, str] | None) -> PixelInfo:
    return PixelInfo(rows=300, cols=220, laterality=side, view=view, patient_orientation=orientation)


@pytest.mark.trap(10)
@pytest.mark.parametrize(
    ("side", "view", "orientation", "mask_side", "turn"),
    [
        ("L", "MLO", ("A", "F"), "left", (False, False, False)),
        ("R", "MLO", ("P", "FL"), "right", (False, True, False)),
        ("R", "CC", ("P", "L"), "right", (False, True, False)),
        ("L", "CC", ("A", "R"), "left", (False, False, False)),
        ("L", "CC", ("A", "L"), "left", (False, False, True)),
        ("R", "MLO", ("P", "H"), "right", (False, True, True)),
        ("L", "MLO", None, "left", (False, False, False)),
        (None, None, None, "right", (False, True, False)),
        (None, "CC", ("A", "L"), "left", (False, False, False)),
    ],
)
def test_the_turn_follows_the_header_and_the_pixels(
    side: str, view: str, orientation: tuple[str, str], mask_side: str, turn: tuple[bool, ...]
) -> None:
    found = canonical_turn(a_breast(side=mask_side), info(side, view, orientation))
    assert (found.transposed, found.flip_x, found.flip_y) == turn and found.flags == ()


def test_where_header_and_pixels_disagree_the_pixels_win_and_it_is_said() -> None:
    found = canonical_turn(a_breast(side="right"), info("L", "MLO", ("A", "F")))
    assert found.flip_x and found.flags == ("orientation_conflict",)


def test_without_a_mask_the_header_decides() -> None:
    whole = np.ones((300, 220), bool)
    assert canonical_turn(whole, info("R", "MLO", ("P", "F")), trust_mask=False).flip_x
    assert not canonical_turn(whole, info("L", "MLO", None), trust_mask=False).flip_x


@pytest.mark.trap(11)
def test_an_image_on_its_side_is_turned_upright() -> None:
    # Rows run to the right side, columns to the back: the chest wall of this left CC is at the bottom.
    lying = a_breast().T[::-1]
    found = canonical_turn(lying, info("L", "CC", ("R", "P")))
    assert found.transposed and found.flip_x and not found.flags
    assert found.size(220, 300) == (300, 220)
    chest_wall = apply_points(found.matrix(*lying.shape), [[150, 0], [150, 220]])
    assert chest_wall[:, 0].tolist() == [220, 0]


def test_the_straight_side_is_the_chest_wall_also_with_padding_beyond_it() -> None:
    assert chest_wall_side(np.pad(a_breast(), ((0, 0), (40, 90)))) == ("left", True)
    assert chest_wall_side(np.pad(a_breast(side="right"), ((0, 0), (90, 40)))) == ("right", True)
    assert chest_wall_side(np.zeros((5, 5), bool)) == (None, False)


def test_a_breast_that_fills_its_film_is_turned_by_its_header() -> None:
    filling = np.ones((300, 220), bool)
    filling[:40, :110] = False
    filling[-42:, 110:] = False
    for orientation, flipped in ((("A", "F"), False), (("P", "F"), True)):
        found = canonical_turn(filling, info("L", "MLO", orientation))
        assert found.flip_x == flipped and found.flags == ()
