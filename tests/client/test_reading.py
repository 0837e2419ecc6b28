"""A simulated reader says exactly what the data set says, edit by edit."""

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from annotations.lexicon import empty_document
from mammoloop_client.reading import edits_for
from tests.exchange.items import uid

KINDS = st.sampled_from(["mass", "calcification", "asymmetry", "architectural_distortion"])
COORDINATE = st.floats(0, 1024, allow_nan=False)


@st.composite
def answers(draw):
    document = empty_document()
    for breast in document["breasts"].values():
        breast["density"] = draw(st.sampled_from([None, "a", "b", "c", "d"]))
    for order in range(draw(st.integers(0, 4))):
        marks = {
            uid(f"m{order}{n}"): {
                "image_id": uid("i"), "frame": 1, "kind": "circle",
                "geometry": [draw(COORDINATE), draw(COORDINATE), 5.0], "provenance": "imported",
            }
            for n in range(draw(st.integers(0, 2)))
        }  # fmt: skip
        finding = {"type": draw(KINDS), "birads": "4", "laterality": "L", "order": order, "marks": marks}
        document["findings"][uid(f"f{order}")] = finding
    return document


def said(document):
    """A document without the ids that each client makes for itself, and without who drew."""
    findings = [
        {**finding, "marks": [mark["geometry"] for mark in finding["marks"].values()]}
        for finding in document["findings"].values()
    ]
    return document["breasts"], sorted(findings, key=lambda finding: finding["order"])


@given(answers())
def test_the_edits_lead_from_an_empty_reading_to_the_answer(answer):
    document = empty_document()
    for patch in edits_for(document, answer):
        document = jsonpatch.apply_patch(document, patch)
    assert said(document) == said(answer)


@given(answers())
def test_each_finding_is_an_edit_of_its_own_with_ids_of_its_own(answer):
    first, second = edits_for(empty_document(), answer), edits_for(empty_document(), answer)
    assert len(first) == 1 + len(answer["findings"])
    assert all(a[0]["path"] != b[0]["path"] for a, b in zip(first[1:], second[1:], strict=True))


@given(answers())
def test_marks_of_a_simulated_reader_count_as_drawn_by_a_person(answer):
    marks = [mark for patch in edits_for(empty_document(), answer)[1:] for mark in patch[0]["value"]["marks"].values()]
    assert {mark["provenance"] for mark in marks} <= {"human"}
