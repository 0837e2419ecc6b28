import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.geometry import convert
from ml.geometry.shapes import area, bounds

numbers = st.floats(0, 4096, allow_nan=False)


def test_mini_mias_counts_y_from_the_bottom() -> None:
    assert convert.mini_mias_circle(535, 425, 197) == (535.0, 599.0, 197.0)


@given(numbers, numbers, st.floats(1, 200))
def test_mini_mias_goes_there_and_back(x: float, y: float, r: float) -> None:
    assert convert.to_mini_mias_circle(convert.mini_mias_circle(x, y, r)) == pytest.approx((x, y, r), abs=1e-9)


@pytest.mark.trap(8)
@given(numbers, numbers, st.floats(0.5, 500), st.floats(0.5, 500))
def test_coco_boxes_go_there_and_back(x: float, y: float, w: float, h: float) -> None:
    box = [x, y, x + w, y + h]
    assert convert.coco_bbox("box", box) == pytest.approx([x, y, w, h], abs=1e-9)
    assert convert.box_of_coco(convert.coco_bbox("box", box)) == pytest.approx(box)


def test_coco_polygons_go_there_and_back() -> None:
    rings = [[[1.0, 2.0], [5.0, 2.0], [4.0, 9.0]]]
    flat = convert.coco_segmentation("polygon", rings)
    assert flat == [[1.0, 2.0, 5.0, 2.0, 4.0, 9.0]] and convert.polygon_of_coco(flat) == rings
    assert convert.coco_segmentation("point", [1, 2]) == []


def test_a_circle_in_coco_has_its_box_and_nearly_its_area() -> None:
    flat = convert.coco_segmentation("circle", [50, 60, 20])
    rings = convert.polygon_of_coco(flat)
    assert bounds("polygon", rings) == pytest.approx((30, 40, 70, 80), abs=0.1)
    assert area("polygon", rings) == pytest.approx(area("circle", [50, 60, 20]), rel=2e-3)


@pytest.mark.trap(8)
@given(numbers, numbers)
def test_array_indices_are_half_a_pixel_away(x: float, y: float) -> None:
    assert convert.to_centre_convention(0.5, 0.5) == (0, 0)
    assert convert.from_centre_convention(*convert.to_centre_convention(x, y)) == pytest.approx((x, y))


def test_dicom_sr_has_our_corner() -> None:
    assert convert.dicom_sr_points([[0.5, 0.5], [3, 4]]) == [[0.5, 0.5], [3.0, 4.0]]
