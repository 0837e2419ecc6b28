"""What an answer rests on, as rows and masks in the pixels of the image as it is stored."""

import numpy as np
import pytest
import torch
from PIL import Image

from ml.geometry.affine import compose, flip_x, scale
from ml.methods.spec import Where
from ml.training.batches import Item
from ml.training.whereabouts import where_rows


def test_what_lies_in_a_mirrored_small_image_is_where_it_lies_in_the_stored_one(a_row, tmp_path):
    row = a_row(0, rows=800, cols=400)
    affine = compose(flip_x(400), scale(0.25, 0.25))  # prepared: 200 x 100, mirrored
    item = Item(row.image_id, (torch.zeros(1, 200, 100),), (True,), (affine,), {})
    inside = torch.zeros(200, 100)
    inside[20:30, 10:20] = 1  # stored x 320-360, y 80-120
    where = Where(
        names=("attention",), boxes=torch.tensor([[10.0, 20.0, 20.0, 30.0]]), scores=torch.tensor([0.6]),
        labels=torch.zeros(1, dtype=torch.long), masks={"breast": inside},
    )  # fmt: skip
    box, mask = where_rows(row, item, where, "v", tmp_path)
    assert [box[side] for side in ("x0", "y0", "x1", "y1")] == [320.0, 80.0, 360.0, 120.0]
    assert (box["kind"], box["target"], box["score"]) == ("box", "attention", pytest.approx(0.6))
    assert (mask["kind"], mask["target"], mask["mask_path"]) == ("mask", "breast", "masks/i0-breast.png")
    picture = np.asarray(Image.open(tmp_path / mask["mask_path"]))
    assert picture.shape == (800, 400)
    y, x = np.nonzero(picture)
    assert (x.min(), x.max() + 1, y.min(), y.max() + 1) == tuple(
        pytest.approx(side, abs=2) for side in (320, 360, 80, 120)
    )
    assert [own["kind"] for own in where_rows(row, item, where, "v", None)] == ["box"]


def test_a_mask_of_the_second_view_is_drawn_in_the_pixels_of_its_image(a_row, tmp_path):
    row = a_row(1, rows=80, cols=40)
    affines = (np.eye(3), compose(flip_x(40), scale(0.5, 0.5)))
    blank = torch.zeros(1, 40, 20)
    item = Item("e1/R", (blank, blank), (True, True), affines, {})
    mask = torch.zeros(40, 20)
    mask[10:20, :5] = 1  # mirrored: the last ten columns of the image
    (said,) = where_rows(row, item, Where(slot=1, masks={"breast": mask}), "v", tmp_path)
    assert (said["kind"], said["target"], said["score"]) == ("mask", "breast", pytest.approx(20 * 10 / 3200, abs=0.01))
    inside = np.asarray(Image.open(tmp_path / said["mask_path"])) > 0
    assert inside[22:38, 32:].all()
    assert not inside[:, :28].any()
    assert where_rows(row, item, Where(slot=1, masks={"breast": mask}), "v", None) == []
