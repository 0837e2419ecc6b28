"""Which reading counts, one spelling of JSON, hashes, counts."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ConsensusNeeded
from exchange.rules import canonical, counts_of, exam_density, reading_that_counts, sha256_of, snapshot_sha256
from tests.exchange.items import a_finding, a_mark, an_image, an_item

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
JSON = st.recursive(_LEAVES | _TEXT, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner))


@dataclass(frozen=True)
class R:
    id: int
    purpose: str


PRIMARY, SECOND, REFERENCE, ADJUDICATION, PRACTICE = (
    R(n, p) for n, p in enumerate(("primary", "second", "reference", "adjudication", "practice"))
)


@pytest.mark.parametrize(
    ("readings", "references", "counts"),
    [
        ([], True, None),
        ([PRIMARY], False, PRIMARY),
        ([REFERENCE], False, None),
        ([REFERENCE], True, REFERENCE),
        ([PRIMARY, REFERENCE], True, PRIMARY),
        ([PRIMARY, SECOND, ADJUDICATION], False, ADJUDICATION),
        ([PRACTICE], True, None),
    ],
)
def test_the_reading_of_highest_rank_counts(readings, references, counts):
    assert reading_that_counts(readings, references=references) == counts


def test_two_expert_readings_need_consensus():
    with pytest.raises(ConsensusNeeded) as refused:
        reading_that_counts([PRIMARY, R(9, "primary")], references=True)
    assert refused.value.code == "exchange.consensus_needed"


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": 1, "a": [1.5, "ä"]}) == '{"a":[1.5,"ä"],"b":1}' == canonical({"a": [1.5, "ä"], "b": 1})


def test_canonical_json_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="JSON"):
        canonical({"x": float("nan")})


@given(JSON)
def test_canonical_json_reads_back_as_it_was(value):
    assert json.loads(canonical(value)) == value


def test_the_hash_of_a_snapshot_changes_with_any_item_and_with_their_order():
    items = [("e1", sha256_of("a")), ("e2", sha256_of("b"))]
    other = [("e1", sha256_of("a")), ("e2", sha256_of("c"))]
    assert len({snapshot_sha256(items), snapshot_sha256(other), snapshot_sha256(items[::-1])}) == 3


@pytest.mark.parametrize(
    ("right", "left", "exam"), [("a", "c", "c"), (None, "b", "b"), (None, None, None), ("d", "a", "d")]
)
def test_the_density_of_an_exam_is_that_of_its_denser_breast(right, left, exam):
    assert exam_density({"R": {"density": right}, "L": {"density": left}}) == exam


def test_counts_tell_findings_marks_normals_and_splits():
    image = an_image()
    marked = an_item("one", images=[image], findings=[a_finding(a_mark(image)), a_finding(type="calcification")])
    normal = an_item("two", split="val", density=None)
    counts = counts_of([marked, normal])
    assert (counts["exams"], counts["patients"], counts["images"], counts["normal_exams"]) == (2, 2, 2, 1)
    assert counts["findings"] == {"calcification": 1, "mass": 1}
    assert counts["marks"] == {"calcification": 0, "mass": 1}
    assert counts["unmarked_findings"] == 1
    assert counts["density"] == {"b": 1, "unknown": 1}
    assert counts["splits"] == {"train": 1, "val": 1}
    assert counts["by_split"]["val"]["findings"] == {}
