"""Marks as pixels: areas of drawn shapes, holes, and stored masks that must fit their image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from ml.geometry import shapes
from ml.pixels import mark_masks as m

ROW = {"image_id": "i", "rows": 60, "cols": 80}


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("box", [10, 5, 30, 25]),
        ("circle", [40.3, 30.2, 12]),
        ("ellipse", [40, 30, 20, 9, 30]),
        ("polygon", [[[10, 10], [60, 12], [40, 50]], [[35, 20], [42, 20], [40, 30]]]),
    ],
)
def test_a_filled_shape_has_its_area_and_lies_in_its_box(kind, geometry):
    mask = m.filled(kind, geometry, 60, 80)
    assert mask.sum() == pytest.approx(shapes.area(kind, geometry), rel=0.03)
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = shapes.bounds(kind, geometry)
    assert x0 <= xs.min() + 0.5 and xs.max() + 0.5 <= x1 and y0 <= ys.min() + 0.5 and ys.max() + 0.5 <= y1


def test_pixels_are_in_by_their_centres():
    assert np.argwhere(m.filled("box", [2, 3, 4, 4], 9, 9)).tolist() == [[3, 2], [3, 3]]
    assert np.argwhere(m.filled("polygon", [[[2, 3], [4, 3], [4, 4], [2, 4]]], 9, 9)).tolist() == [[3, 2], [3, 3]]
    assert not m.filled("point", [3, 3], 9, 9).any() and not m.filled("box", [20, 20, 25, 25], 9, 9).any()


@pytest.mark.parametrize("kind", ["circle", "ellipse", "polygon"])
def test_a_shape_over_the_edge_is_cut_there(kind):
    geometry = {
        "circle": [0, 30, 10],
        "ellipse": [0, 30, 10, 10, 0],
        "polygon": [[[10 * math.cos(t), 30 + 10 * math.sin(t)] for t in np.linspace(0, 6.25, 200)]],
    }[kind]
    assert m.filled(kind, geometry, 60, 80).sum() == pytest.approx(math.pi * 50, rel=0.03)


def test_a_stored_mask_is_read_from_under_its_folder_alone(tmp_path):
    (tmp_path / "root").mkdir()
    pixels = np.zeros((60, 80), np.uint8)
    pixels[10:20, 30:50] = 255
    Image.fromarray(pixels).save(tmp_path / "root" / "m.png")
    Image.fromarray(pixels).save(tmp_path / "outside.png")
    read = m.reader(tmp_path / "root")
    mark = {"kind": "mask", "geometry": {"path": "m.png"}}
    assert m.covered(ROW, mark, read).sum() == 200
    assert m.extent(ROW, mark, read) == (30, 10, 50, 20)
    assert m.extent(ROW, mark) is None
    for path in ("../outside.png", "absent.png"):
        with pytest.raises(m.MaskUnreadable):
            m.covered(ROW, {"kind": "mask", "geometry": {"path": path}}, read)
    with pytest.raises(m.MaskUnreadable):
        m.covered({**ROW, "rows": 61}, mark, read)
    with pytest.raises(m.MaskUnreadable):
        m.covered(ROW, mark)
