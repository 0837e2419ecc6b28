"""The server believes no form: a document says only what the lexicon knows, about images of the exam."""

import copy
from dataclasses import dataclass
from uuid import uuid4

import pytest

from annotations.errors import DocumentInvalid, GeometryInvalid, ImageNotInExam, OutsideImage, WrongBreast
from annotations.lexicon import empty_document, reading_schema, terms
from annotations.rules import exam_density, validate_document


@dataclass
class AnImage:
    id: str
    rows: int = 1000
    cols: int = 800
    laterality: str = "R"


IMAGE = AnImage(id=str(uuid4()))
FINDING, MARK = str(uuid4()), str(uuid4())


def a_mark(**changes):
    said = {"image_id": IMAGE.id, "frame": 1, "kind": "box", "geometry": [10.5, 20.25, 110, 220], "provenance": "human"}
    return {**said, **changes}


def a_document(*, finding=None, mark=None, **changes):
    document = empty_document() | changes
    said = {"type": "mass", "birads": "4B", "laterality": "R", "order": 1, "marks": {MARK: a_mark(**(mark or {}))}}
    document["findings"] = {FINDING: {**said, **(finding or {})}}
    return document


def check(document):
    validate_document(document, [IMAGE])


def test_an_empty_document_and_a_whole_one_are_valid():
    check(empty_document())
    check(
        a_document(
            finding={"subtype": "spiculated", "pathology": "malignant", "difficulty": "ignore", "source_label": "SPIC"},
            breasts={
                "R": {"density": "a", "birads": "5", "density_source": "tissue3:F"},
                "L": empty_document()["breasts"]["L"],
            },
            comment="Zufallsbefund; 左乳",
        )
    )


@pytest.mark.trap(27)
@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "reading",
        {},
        empty_document() | {"schema": "mammoloop.reading/2.0"},
        empty_document() | {"diagnosis": "cancer"},
        empty_document() | {"breasts": {"R": {"density": None, "birads": None}}},
        empty_document() | {"breasts": {side: {"density": "A", "birads": None} for side in "RL"}},
        empty_document() | {"breasts": {side: {"density": None, "birads": 4} for side in "RL"}},
        empty_document() | {"findings": []},
        empty_document() | {"comment": None},
        empty_document() | {"comment": "x" * 10_001},
        a_document(finding={"type": "tumour"}),
        a_document(finding={"type": ["mass"]}),
        a_document(finding={"birads": "7"}),
        a_document(finding={"birads": ""}),
        a_document(finding={"laterality": "B"}),
        a_document(finding={"order": -1}),
        a_document(finding={"order": True}),
        a_document(finding={"certainty": 0.7}),
        a_document(finding={"pathology": "unknown"}),
        a_document(finding={"marks": []}),
        a_document(mark={"kind": "mask"}),
        a_document(mark={"provenance": "model"}),
        a_document(mark={"frame": 0}),
        a_document(mark={"frame": 2}),
        a_document(mark={"label": "left"}),
        empty_document() | {"findings": {"1": a_document()["findings"][FINDING]}},
        empty_document() | {"findings": {FINDING + "\n": a_document()["findings"][FINDING]}},
        empty_document() | {"findings": {FINDING.upper(): a_document()["findings"][FINDING]}},
    ],
)
def test_what_the_lexicon_does_not_know_is_refused_whatever_the_form_allowed(document):
    with pytest.raises(DocumentInvalid):
        check(document)


@pytest.mark.parametrize("comment", ["a\0b", "half \ud83d pair"])
def test_text_that_one_of_the_databases_cannot_keep_is_refused(comment):
    with pytest.raises(DocumentInvalid):
        check(empty_document() | {"comment": comment})


def test_a_refusal_names_place_and_rule_and_never_what_was_typed():
    with pytest.raises(DocumentInvalid) as refusal:
        check(a_document(finding={"type": "Mrs. Miller"}))
    assert refusal.value.detail["at"] == f"/findings/{FINDING}/type"
    assert refusal.value.detail["rule"] == "enum"
    assert "Miller" not in str(refusal.value.detail)


def test_a_value_nested_beyond_reason_is_refused_without_exhausting_the_stack():
    deep = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(DocumentInvalid):
        check(a_document(mark={"geometry": deep}))


def test_a_mark_names_an_image_of_the_exam():
    with pytest.raises(ImageNotInExam):
        check(a_document(mark={"image_id": str(uuid4())}))


def test_a_finding_of_the_left_breast_has_no_mark_in_an_image_of_the_right():
    with pytest.raises(WrongBreast):
        check(a_document(finding={"laterality": "L"}))
    check(a_document(finding={"laterality": None}))


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("box", [0, 0, 800, 1000]),
        ("box", [-0.5, -1, 801, 1000.5]),  # drawn to the very edge
        ("circle", [5, 5, 40]),  # overhangs, as a lesion at the edge does
        ("ellipse", [400, 500, 30.5, 10, -45]),
        ("polygon", [[[1, 1], [10, 1], [10, 10]]]),
        ("polygon", [[[1, 1], [90, 1], [90, 90], [1, 90]], [[20, 20], [30, 20], [30, 30]]]),
        ("point", [800, 0.1]),
    ],
)
def test_a_shape_inside_its_image_is_taken(kind, geometry):
    check(a_document(mark={"kind": kind, "geometry": geometry}))


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("box", [10, 10, 10, 20]),
        ("box", [20, 10, 10, 20]),
        ("box", [1, 2, 3]),
        ("box", [1, 2, 3, "4"]),
        ("box", [1, 2, 3, True]),
        ("box", [1, 2, 3, None]),
        ("circle", [5, 5, 0]),
        ("circle", [5, 5, -3]),
        ("circle", [5, 5]),
        ("ellipse", [5, 5, 0, 2, 0]),
        ("ellipse", [5, 5, 1, 2]),
        ("polygon", []),
        ("polygon", [[]]),
        ("polygon", [[[1, 1], [2, 2]]]),
        ("polygon", [[[1, 1], [2, 2], [3, 3]]]),  # a line
        ("polygon", [[[1, 1], [9, 1], [9, 9], [1, 1]]]),  # repeats its first point
        ("polygon", [[1, 1], [9, 1], [9, 9]]),  # a ring where rings belong
        ("polygon", [[[1, 1, 1], [9, 1, 1], [9, 9, 1]]]),
        ("point", []),
        ("point", [[1, 2]]),
    ],
)
def test_what_has_no_shape_is_refused(kind, geometry):
    with pytest.raises(GeometryInvalid):
        check(a_document(mark={"kind": kind, "geometry": geometry}))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e300, 10**400])
def test_a_coordinate_that_no_image_has_is_refused(number):
    with pytest.raises(DocumentInvalid):
        check(a_document(mark={"kind": "point", "geometry": [1, number]}))


@pytest.mark.parametrize(
    ("kind", "geometry"),
    [
        ("box", [700, 10, 810, 20]),
        ("box", [10, 10, 20, 1002]),
        ("circle", [-2, 5, 10]),
        ("ellipse", [400, 1005, 10, 10, 0]),
        ("polygon", [[[1, 1], [900, 1], [9, 9]]]),
        ("point", [1000, 800]),  # x and y taken for each other
    ],
)
def test_a_mark_outside_its_image_is_refused(kind, geometry):
    with pytest.raises(OutsideImage):
        check(a_document(mark={"kind": kind, "geometry": geometry}))


def test_validation_changes_nothing():
    document = a_document()
    before = copy.deepcopy(document)
    check(document)
    assert document == before


@pytest.mark.parametrize(
    ("right", "left", "exam"),
    [("a", "c", "c"), ("d", "a", "d"), ("b", None, "b"), (None, None, None)],
)
def test_an_exam_is_as_dense_as_its_denser_breast(right, left, exam):
    document = empty_document()
    document["breasts"]["R"]["density"], document["breasts"]["L"]["density"] = right, left
    assert exam_density(document) == exam


def test_every_term_of_the_schema_has_a_name_and_every_name_is_in_the_schema():
    schema, named = reading_schema(), {kind: [term["code"] for term in of] for kind, of in terms().items()}
    finding, mark = schema["$defs"]["finding"]["properties"], schema["$defs"]["mark"]["properties"]
    assert named["finding_types"] == finding["type"]["enum"]
    assert [*named["birads"], None] == schema["$defs"]["birads"]["enum"]
    assert [*named["densities"], None] == schema["$defs"]["breast"]["properties"]["density"]["enum"]
    assert [*named["lateralities"], None] == finding["laterality"]["enum"]
    assert [*named["pathologies"], None] == finding["pathology"]["enum"]
    assert named["mark_kinds"] == mark["kind"]["enum"]
    assert named["provenances"] == mark["provenance"]["enum"]
