import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.geometry.overlap import dice, iou, pairwise_iou


def test_overlap_never_adds_one() -> None:
    assert iou([0, 0, 2, 2], [1, 0, 3, 2]) == pytest.approx(1 / 3)
    assert iou([0, 0, 2, 2], [2, 0, 4, 2]) == 0
    assert iou([0, 0, 0, 0], [0, 0, 0, 0]) == 0


def test_every_box_meets_every_other() -> None:
    found = pairwise_iou([[0, 0, 4, 4], [10, 10, 12, 12]], [[0, 0, 4, 4], [0, 0, 2, 4], [50, 50, 60, 60]])
    assert found.tolist() == [[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
    assert pairwise_iou([], [[0, 0, 1, 1]]).shape == (0, 1)


def test_dice_of_masks() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert dice(a, b) == 1
    a[:2], b[1:3] = True, True
    assert dice(a, b) == 0.5


boxes = st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0.1, 50), st.floats(0.1, 50)).map(
    lambda t: [t[0], t[1], t[0] + t[2], t[1] + t[3]]
)


@given(boxes, boxes, st.floats(-100, 100), st.floats(0.1, 10))
def test_overlap_is_symmetric_and_does_not_depend_on_place_or_scale(
    a: list[float], b: list[float], shift: float, scale: float
) -> None:
    moved = pairwise_iou((np.array([a]) + shift) * scale, (np.array([b]) + shift) * scale)[0, 0]
    assert 0 <= iou(a, b) <= 1 and iou(a, b) == iou(b, a) and moved == pytest.approx(iou(a, b), abs=1e-6)
    assert iou(a, a) == pytest.approx(1)
