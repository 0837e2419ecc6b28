"""COCO: every image, one annotation a mark, read by pycocotools."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from exchange.exporters import coco
from tests.exchange.items import a_finding, a_mark, an_image, an_item

BOX, POINT = [10.25, 20.5, 110.0, 220.0], [5.0, 6.0]
RING = [[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]]


def exported(folder, items):
    coco.write(lambda: iter(items), folder)
    return COCO(str(folder / coco.FILE))


def annotation(kind, geometry, **finding):
    image = an_image()
    mark = a_mark(image, kind, geometry)
    return coco.annotation_row(1, 1, a_finding(mark, **finding), mark)


def test_normal_images_are_there_and_unmarked_findings_are_not(tmp_path):
    image = an_image("mdb001")
    items = [
        an_item("one", images=[image], findings=[a_finding(a_mark(image)), a_finding(type="calcification")]),
        an_item("two"),
    ]
    found = exported(tmp_path, items)
    assert (len(found.imgs), len(found.anns)) == (2, 1)
    assert [row["normal"] for row in found.imgs.values()] == [False, True]


def test_an_image_is_called_as_in_the_set_that_it_came_from_else_by_its_uid(tmp_path):
    named, clinical = an_image("mdb001"), an_image("x", source_name=None)
    found = exported(tmp_path, [an_item(images=[named, clinical])])
    assert [row["file_name"] for row in found.imgs.values()] == ["mdb001.pgm", f"{clinical['sop_uid']}.dcm"]


def test_a_circle_has_an_unclipped_box_around_its_centre():
    assert annotation("circle", [10.0, 20.0, 30.0])["bbox"] == [-20.0, -10.0, 60.0, 60.0]


@given(st.floats(0, 1024), st.floats(0, 1024), st.floats(1, 200))
def test_a_circle_is_found_again_from_its_box(x, y, r):
    left, top, width, height = annotation("circle", [x, y, r])["bbox"]
    assert (left + width / 2, top + height / 2, width / 2) == pytest.approx((x, y, r), abs=1e-9)
    assert height == pytest.approx(width, abs=1e-9)


@pytest.mark.trap(8)
def test_the_corner_origin_is_kept_without_half_pixels():
    row = annotation("box", BOX)
    assert (row["bbox"], row["area"]) == ([10.25, 20.5, 99.75, 199.5], 99.75 * 199.5)
    assert row["geometry"] == BOX


def test_every_kind_of_mark_has_a_box_and_an_outline(tmp_path):
    image = an_image()
    kinds = {"box": BOX, "circle": [50, 50, 9], "ellipse": [50, 50, 9, 5, 30], "polygon": [RING], "point": POINT}
    marks = [a_mark(image, kind, geometry) for kind, geometry in kinds.items()]
    found = exported(tmp_path, [an_item(images=[image], findings=[a_finding(*marks)])])
    rows = {row["kind"]: row for row in found.anns.values()}
    assert rows.keys() == kinds.keys()
    assert annotation("point", POINT)["segmentation"] == []
    assert all(len(row["segmentation"][0]) >= 8 for kind, row in rows.items() if kind != "point")
    for kind in ("box", "circle", "ellipse", "polygon"):
        assert found.annToMask(rows[kind]).sum() == pytest.approx(rows[kind]["area"], rel=0.1)


def test_what_cannot_be_judged_is_marked_to_be_ignored():
    row = annotation("circle", [1, 2, 3], difficulty="ignore")
    assert (row["difficulty"], row["ignore"], row["iscrowd"]) == ("ignore", 1, 0)
    assert annotation("circle", [1, 2, 3])["ignore"] == 0


def test_the_four_finding_types_are_the_categories(tmp_path):
    found = exported(tmp_path, [an_item()])
    assert [row["name"] for row in found.cats.values()] == [
        "mass", "calcification", "asymmetry", "architectural_distortion"
    ]  # fmt: skip


@pytest.mark.trap(26)
def test_overlapping_findings_stay_apart(tmp_path):
    image = an_image()
    same = [a_finding(a_mark(image), type=kind) for kind in ("mass", "calcification")]
    found = exported(tmp_path, [an_item(images=[image], findings=same)])
    assert sorted(row["category_id"] for row in found.anns.values()) == [1, 2]


def test_an_empty_snapshot_is_valid_json(tmp_path):
    coco.write(lambda: iter([]), tmp_path)
    assert json.loads((tmp_path / coco.FILE).read_text())["images"] == []
