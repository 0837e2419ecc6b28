"""What counts as a hit, for marks of every kind, and who gets the credit."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.detection.froc import froc, require
from ml.evaluation.detection.matching import Verdict, judge
from ml.evaluation.detection.things import ANY, Covered, Image, Mark, candidates, images_of
from ml.evaluation.undefined import NotAScore, Undefined


def an_image(*marks, complete=True, spacing=(0.2, 0.2)):
    return Image("i", "e", "p", complete, complete and not marks, 1000, 1000, spacing, marks)


def a_mark(kind, geometry, type_="mass", **more):
    return Mark("i", f"e/{kind}", type_, kind, geometry, **more)


def verdicts(image, boxes, criterion, target="mass", types=None):
    found = {"i": candidates(boxes, np.linspace(0.9, 0.1, len(boxes)), types or ["mass"] * len(boxes))}
    return [Verdict(v).name for v in judge([image], found, target, criterion).verdict]


@pytest.mark.parametrize(
    ("kind", "geometry", "inside", "outside"),
    [
        ("box", [100, 100, 200, 200], (150, 150), (201, 150)),
        ("circle", [150, 150, 50], (150, 101), (186, 186)),
        ("ellipse", [150, 150, 60, 20, 90], (150, 205), (205, 150)),
        ("polygon", [[[100, 100], [200, 100], [100, 200]]], (120, 120), (180, 180)),
        ("point", [150, 150], (150, 199), (150, 201)),
        ("mask", Covered((100, 100, 200, 200), np.tril(np.ones((100, 100), bool))), (120, 180), (180, 120)),
    ],
)
def test_a_centre_inside_the_shape_of_any_kind_is_a_hit(kind, geometry, inside, outside):
    image = an_image(a_mark(kind, geometry))
    boxes = [[x - 5, y - 5, x + 5, y + 5] for x, y in (inside, outside)]
    assert verdicts(image, boxes, "centre_in_mark") == ["TRUE", "FALSE"]


def test_a_point_of_unknown_spacing_reaches_three_percent_of_the_long_side():
    image = an_image(a_mark("point", [150, 150]), spacing=None)
    boxes = [[y - 5, y - 5, y + 5, y + 5] for y in (150 + 20, 150 + 23)]
    assert verdicts(image, boxes, "centre_in_mark") == ["TRUE", "FALSE"]


def test_an_overlap_with_a_circle_is_with_its_bounding_box():
    image = an_image(a_mark("circle", [50, 50, 50]))
    assert verdicts(image, [[0, 0, 100, 50]], "iou>=0.5") == ["TRUE"]


def test_a_stored_mask_holds_its_pixels_and_their_edges():
    pixels = np.zeros((4, 4), bool)
    pixels[1, 2] = True
    covered = Covered((10.0, 20.0, 14.0, 24.0), pixels)
    assert all(covered.holds(x, y) for x, y in ((12.5, 21.5), (12, 21), (13, 22), (12, 21.5)))
    assert not any(covered.holds(x, y) for x, y in ((11.9, 21.5), (12.5, 22.1), (13.1, 21), (9, 19), (15, 25)))


def test_an_overlap_with_a_stored_mask_is_with_its_bounding_box():
    image = an_image(a_mark("mask", Covered((0, 0, 100, 100), np.eye(100, dtype=bool))))
    assert verdicts(image, [[0, 0, 100, 50]], "iou>=0.5") == ["TRUE"]


def test_a_point_cannot_be_asked_for_overlap_and_is_counted_apart():
    image = an_image(a_mark("point", [50, 50]))
    judged = judge([image], {"i": candidates([[45, 45, 55, 55]], [0.9], ["mass"])}, "mass", "iou>=0.1")
    assert (judged.unusable, len(judged.marks)) == (1, 0)
    assert judged.verdict.tolist() == [Verdict.ABSORBED]


def test_a_mark_to_ignore_takes_candidates_without_credit_or_blame():
    image = an_image(a_mark("box", [0, 0, 100, 100], ignore=True))
    assert verdicts(image, [[0, 0, 100, 100], [0, 0, 90, 100], [500, 500, 600, 600]], "iou>=0.2") == [
        "ABSORBED", "ABSORBED", "FALSE",
    ]  # fmt: skip


def test_the_wrong_type_is_a_false_positive_of_its_own_curve_but_found_by_the_pooled_one():
    image = an_image(a_mark("box", [0, 0, 100, 100], "asymmetry"))
    boxes, types = [[0, 0, 100, 100]], ["mass"]
    assert verdicts(image, boxes, "iou>=0.2", types=types) == ["FALSE"]
    assert verdicts(image, boxes, "by_finding", target=ANY, types=types) == ["TRUE"]


def test_the_pooled_curve_asks_each_mark_by_its_own_criterion():
    calc = an_image(a_mark("circle", [500, 500, 200], "calcification"))
    mass = an_image(a_mark("circle", [500, 500, 200], "mass"))
    small = [[495, 495, 505, 505]]
    assert verdicts(calc, small, "by_finding", target=ANY) == ["TRUE"]
    assert verdicts(mass, small, "by_finding", target=ANY) == ["FALSE"]


def test_a_box_that_stands_under_several_types_is_one_candidate_of_the_pooled_curve():
    boxes, types = [[0, 0, 100, 100], [500, 500, 600, 600]] * 2, ["mass", "mass", "asymmetry", "asymmetry"]
    image = an_image(a_mark("box", [0, 0, 100, 100]))
    assert verdicts(image, boxes, "by_finding", target=ANY, types=types) == ["TRUE", "FALSE"]


def test_a_candidate_takes_the_mark_it_fits_best_and_leaves_the_other():
    image = an_image(a_mark("box", [0, 0, 100, 100]), a_mark("circle", [60, 60, 50]))
    judged = judge(
        [image], {"i": candidates([[10, 10, 110, 110], [0, 0, 100, 100]], [0.9, 0.8], ["mass"] * 2)}, "mass", "iou>=0.2"
    )
    assert judged.mark.tolist() == [1, 0]


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_candidate_without_a_number_is_refused(score):
    with pytest.raises(NotAScore):
        candidates([[0, 0, 1, 1]], [score], ["mass"])


def test_nothing_to_find_and_nowhere_to_be_wrong_are_named():
    for images, reason in (([an_image()], "no_marks"), ([an_image(a_mark("box", [0, 0, 9, 9]))], "no_normals")):
        with pytest.raises(Undefined) as raised:
            require(froc(judge(images, {}, "mass", "iou>=0.2")))
        assert raised.value.reason == reason


def test_an_image_with_an_unmarked_finding_is_neither_normal_nor_complete():
    row = {
        "image_id": "i",
        "exam_id": "e",
        "patient_id": "p",
        "rows": 9,
        "cols": 9,
        "spacing_mm": None,
        "complete": False,
    }
    finding = {"finding_id": "f", "type": "mass", "marks": []}
    image = images_of([{**row, "findings": [finding]}])[0]
    assert (image.normal, image.complete, image.unmarked) == (False, False, ("mass",))
    assert images_of([{**row, "complete": True, "findings": []}])[0].normal
    assert not images_of([{**row, "complete": False, "findings": []}])[0].normal


def a_masked_row(*kinds):
    marks = [{"kind": kind, "geometry": {"path": "m.png"} if kind == "mask" else [1, 1, 3, 3]} for kind in kinds]
    finding = {"finding_id": "f", "type": "mass", "marks": marks}
    about = {"image_id": "i", "exam_id": "e", "patient_id": "p", "rows": 9, "cols": 9, "complete": True}
    return {**about, "findings": [finding]}


def test_a_stored_mask_is_the_mark_of_a_finding_that_has_no_other():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3:8] = True
    (image,) = images_of([a_masked_row("mask")], lambda row, mark: mask)
    assert (image.unmarked, image.marks[0].kind, image.marks[0].bounds()) == ((), "mask", (3, 2, 8, 5))
    assert image.marks[0].outline() == {"kind": "box", "geometry": [3, 2, 8, 5]}
    assert [mark.kind for mark in images_of([a_masked_row("mask", "box")], lambda row, mark: mask)[0].marks] == ["box"]
    for mask_of in (None, lambda row, mark: np.zeros((9, 9), bool)):
        assert images_of([a_masked_row("mask")], mask_of)[0].unmarked == ("mass",)
