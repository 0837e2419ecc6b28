"""Regions of interest: their squares, their labels, and backgrounds that touch no mark."""

from __future__ import annotations

import numpy as np
import pytest

from ml.geometry.affine import apply_boxes, apply_points, compose, flip_x, invert, scale
from ml.pixels.prepare import Prepared
from ml.pixels.resample import resample, resample_mask
from ml.pixels.rois import Roi, RoiOptions, around, cut, is_background, label_of, roi_matrix, rois_of, square

SIZE = 200


def a_row(n, *findings, split="train", complete=True, **more):
    return {
        "image_id": f"i{n:02d}", "exam_id": f"e{n}", "patient_id": f"p{n}", "rows": SIZE, "cols": SIZE,
        "spacing_mm": [1.0, 1.0], "image_kind": "standard", "split": split, "complete": complete,
        "findings": list(findings), **more,
    }  # fmt: skip


def a_finding(kind="mass", box=(50, 60, 70, 70), pathology="malignant", **more):
    marks = [{"mark_id": "m", "kind": "box", "geometry": list(box)}]
    return {"finding_id": f"f-{kind}", "type": kind, "pathology": pathology, "marks": marks, **more}


def shown(row):
    """The left 150 columns are breast, prepared at half size."""
    mask = np.zeros((SIZE // 2, SIZE // 2), bool)
    mask[:, :75] = True
    return Prepared(mask.astype(np.float32), mask, scale(0.5, 0.5), (), 2.0)


def rois(rows, labels=("background", "lesion"), seed=1, **options):
    return rois_of(rows, labels, RoiOptions(**options), seed, image=shown)


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (("background", "lesion"), "lesion"),
        (("mass", "calcification"), "mass"),
        (("benign", "malignant"), "malignant"),
        (("mass:benign", "mass:malignant", "mass"), "mass:malignant"),
        (("mass", "mass:malignant"), "mass"),
        (("calcification", "benign"), None),
    ],
)
def test_the_first_label_that_fits_is_taken(labels, label):
    assert label_of(a_finding(), labels) == label
    assert [roi.label for roi in rois_of([a_row(1, a_finding())], labels, RoiOptions(), 0, image=shown)
            if roi.kind == "mark"] == ([label] if label else [])  # fmt: skip


def test_a_marks_square_has_the_margin_and_its_centre():
    (roi,) = rois_of([a_row(1, a_finding())], ("lesion",), RoiOptions(), 0)
    assert roi == Roi("i01", "e1", "p1", "train", (45, 50, 75, 80), "lesion", "f-mass", "mark")
    (large,) = rois_of([a_row(1, a_finding())], ("lesion",), RoiOptions(least_mm=50), 0)
    assert large.box == (35, 40, 85, 90)


def test_a_square_is_shifted_inside_and_never_larger_than_the_image():
    assert square((0, 190, 10, 200), 30, 200, 200) == (0, 170, 30, 200)
    assert square((0, 0, 10, 10), 500, 100, 200) == (0, 0, 100, 100)


def test_marks_to_be_ignored_and_kinds_not_asked_make_no_square():
    rows = [
        a_row(1, a_finding(difficulty="ignore")),
        a_row(2, a_finding(), image_kind="subtracted"),
        a_row(3, a_finding("calcification")),
        a_row(4, a_finding()),
    ]
    assert [roi.image_id for roi in rois_of(rows, ("lesion",), RoiOptions(findings=("mass",)), 0)] == ["i04"]


def test_backgrounds_are_breast_far_from_marks_and_of_the_marks_sizes():
    rows = [a_row(n, a_finding(box=(40, 40, 40 + 10 + n, 60))) for n in range(12)] + [a_row(n) for n in range(20, 40)]
    found = rois(rows, backgrounds=3)
    placed = [roi for roi in found if roi.kind == "background"]
    sides = {roi.box[2] - roi.box[0] for roi in found if roi.kind == "mark"}
    assert len(placed) > 80
    for roi in placed:
        x0, y0, x1, y1 = roi.box
        assert roi.label == "background" and roi.finding_id is None
        assert min(abs(x1 - x0 - side) for side in sides) < 1e-9
        assert (min(x1, 150) - x0) / (x1 - x0) >= 0.5 - 0.05 and min(x0, y0) >= 0 and max(x1, y1) <= SIZE
        for finding in next(row for row in rows if row["image_id"] == roi.image_id)["findings"]:
            mx0, my0, mx1, my1 = finding["marks"][0]["geometry"]
            assert x1 <= mx0 - 5 or x0 >= mx1 + 5 or y1 <= my0 - 5 or y0 >= my1 + 5


def test_sizes_are_drawn_from_marks_of_the_same_split():
    rows = [a_row(1, a_finding(box=(40, 40, 50, 50))), a_row(2, a_finding(box=(40, 40, 70, 70)), split="test")]
    rows += [a_row(n, split=split) for n, split in ((3, "train"), (4, "test"))]
    sides = {roi.split: roi.box[2] - roi.box[0] for roi in rois(rows) if roi.image_id in ("i03", "i04")}
    assert sides == {"train": pytest.approx(15), "test": pytest.approx(45)}


def test_incomplete_images_have_no_background():
    assert not [roi for roi in rois([a_row(1, a_finding()), a_row(2, complete=False)]) if roi.image_id == "i02"]


def test_an_image_whose_stored_mask_cannot_be_read_has_no_background():
    stored = {"finding_id": "s", "type": "mass", "marks": [{"kind": "mask", "geometry": {"path": "m.png"}}]}
    assert [roi.image_id for roi in rois([a_row(1, a_finding()), a_row(2, stored)])] == ["i01", "i01"]


def test_an_image_full_of_marks_has_none():
    assert [roi.kind for roi in rois([a_row(1, a_finding(box=(0, 0, 200, 200)))])] == ["mark"]


def test_neither_the_order_nor_the_seeds_of_others_matter():
    rows = [a_row(n, *([a_finding()] if n % 2 else [])) for n in range(10)]
    assert rois(rows) == rois(rows[::-1])
    assert rois(rows) != rois(rows, seed=2)


def test_what_is_evaluated_does_not_depend_on_the_seed():
    for split, alike in (("train", False), ("val", True), ("test", True), ("audit", True)):
        rows = [a_row(n, *([a_finding()] if n % 2 else []), split=split) for n in range(10)]
        assert (rois(rows, seed=1) == rois(rows, seed=2)) is alike


def test_squares_are_numbered_by_mark_and_by_background():
    twice = a_finding()
    twice["marks"] = [*twice["marks"], {"mark_id": "n", "kind": "box", "geometry": [5, 5, 15, 15]}]
    rows = [a_row(1, twice, a_finding("calcification")), a_row(2)]
    narrow, wide = (rois(rows, backgrounds=2, margin=margin) for margin in (1.0, 1.5))
    units = [(roi.image_id, roi.finding_id, roi.number) for roi in wide]
    assert units == [(roi.image_id, roi.finding_id, roi.number) for roi in narrow]
    assert len(set(units)) == len(units) and ("i01", "f-mass", 1) in units and ("i02", None, 1) in units
    assert not {roi.box for roi in wide} & {roi.box for roi in narrow}


def test_a_background_is_one_only_as_long_as_nothing_is_marked_in_it():
    row, box = a_row(1, a_finding(box=(50, 60, 70, 70))), (0.0, 0.0, 40.0, 40.0)
    assert is_background(row, box)
    assert not is_background(row, (60.0, 60.0, 90.0, 90.0))
    assert not is_background({**row, "complete": False}, box)


def test_backgrounds_without_pixels_are_refused():
    with pytest.raises(ValueError, match="prepared"):
        rois_of([a_row(1)], ("background",), RoiOptions(), 0)


def test_an_option_that_does_not_exist_is_refused():
    assert RoiOptions.of({"least_mm": 10, "findings": ["mass"]}).findings == ("mass",)
    with pytest.raises(TypeError, match="marginn"):
        RoiOptions.of({"marginn": 2})


def test_the_matrix_takes_the_squares_corners_to_the_corners_of_the_input():
    box = (20.0, 40.0, 60.0, 80.0)
    mirrored = flip_x(SIZE)
    for affine in (np.eye(3), scale(0.5, 0.5), mirrored):
        for turn, flip in ((0, False), (90, False), (0, True), (180, True)):
            matrix = roi_matrix(box, affine, 64, turn, flip)
            assert apply_boxes(matrix, [box])[0] == pytest.approx([0, 0, 64, 64])
            assert apply_points(invert(matrix), apply_points(matrix, [[33, 47]]))[0] == pytest.approx([33, 47])
    # Mirrored as the prepared image is; flipped back it reads as the source.
    assert apply_points(roi_matrix(box, mirrored, 40), [[20, 40]])[0] == pytest.approx([40, 0])
    assert apply_points(roi_matrix(box, mirrored, 40, flip=True), [[20, 40]])[0] == pytest.approx([0, 0])


def test_a_spot_lands_where_the_matrix_says():
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    spot = np.exp(-((x - 47) ** 2 + (y - 63) ** 2) / 18).astype(np.float32)
    prepared = Prepared(spot, np.ones((SIZE, SIZE), bool), np.eye(3), (), 1.0)
    for turn, flip in ((0.0, False), (30.0, True)):
        matrix = roi_matrix((30, 40, 80, 90), np.eye(3), 100, turn, flip)
        region = cut(around(prepared, (30, 40, 80, 90), 100), matrix, 100)
        v, u = np.mgrid[:100, :100] + 0.5
        centroid = [(u * region.x).sum() / region.x.sum(), (v * region.x).sum() / region.x.sum()]
        assert centroid == pytest.approx(apply_points(matrix, [[47, 63]])[0].tolist(), abs=0.05)
        assert region.mm_per_px == pytest.approx(0.5) and region.mask.mean() > 0.8


@pytest.mark.parametrize("size_px", [16, 64, 200])
@pytest.mark.parametrize("box", [(30, 40, 80, 90), (0, 0, 60, 60), (70, 20, 118, 68), (-10, 100, 40, 150)])
def test_a_region_is_what_the_whole_image_would_have_given_however_it_is_turned(box, size_px):
    rng = np.random.default_rng(3)
    affine = compose(flip_x(SIZE), scale(1.5, 1.5))
    image = rng.random((3 * SIZE // 2, 3 * SIZE // 2)).astype(np.float32)
    y, x = np.mgrid[: len(image), : len(image)]
    prepared = Prepared(image, np.hypot(x, y - 150) < 180.3, affine, (), 1.0)
    near = around(prepared, box, size_px)
    assert near.x.shape == near.mask.shape
    # What is kept of a region must not keep the image alive.
    assert not np.shares_memory(near.x, prepared.x) and not np.shares_memory(near.mask, prepared.mask)
    for turn, flip in ((0.0, False), (45.0, True), (133.0, False)):
        matrix = roi_matrix(box, affine, size_px, turn, flip)
        step = compose(invert(affine), matrix)
        region = cut(near, matrix, size_px)
        assert region.x == pytest.approx(resample(image, step, (size_px, size_px)), abs=1e-4)
        assert (region.mask == resample_mask(prepared.mask, step, (size_px, size_px))).mean() >= 0.99
