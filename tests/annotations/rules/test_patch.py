"""A patch changes the document as RFC 6902 says, or is refused; it never half applies and never crashes."""

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.errors import PatchInvalid, PatchTestFailed, PatchTooLarge
from annotations.lexicon import empty_document
from annotations.rules import apply_patch
from core.errors import MammoError


def test_add_replace_remove_and_test_do_what_the_standard_says():
    patch = [
        {"op": "test", "path": "/comment", "value": ""},
        {"op": "add", "path": "/findings/x", "value": {"marks": {}}},
        {"op": "replace", "path": "/breasts/R/density", "value": "c"},
        {"op": "replace", "path": "/comment", "value": "seen"},
        {"op": "remove", "path": "/findings/x"},
    ]
    document = apply_patch(empty_document(), patch)
    assert document["breasts"]["R"]["density"] == "c"
    assert document["comment"] == "seen"
    assert document["findings"] == {}


def test_the_document_that_was_given_stays_as_it_is_also_when_the_patch_breaks_off():
    document = empty_document()
    with pytest.raises(PatchInvalid):
        apply_patch(
            document, [{"op": "replace", "path": "/comment", "value": "x"}, {"op": "remove", "path": "/findings/no"}]
        )
    assert document == empty_document()


def test_a_failed_test_is_a_conflict_of_its_own():
    with pytest.raises(PatchTestFailed):
        apply_patch(empty_document(), [{"op": "test", "path": "/comment", "value": "theirs"}])


@pytest.mark.parametrize(
    "patch",
    [
        None,
        {},
        [],
        "remove all",
        [None],
        [[]],
        [{}],
        [{"op": "add"}],
        [{"op": "add", "path": "/comment"}],
        [{"op": ["add"], "path": "/comment", "value": 1}],
        [{"op": "move", "from": "/breasts/R", "path": "/breasts/L"}],
        [{"op": "copy", "from": "/breasts/R", "path": "/breasts/L"}],
        [{"op": "ADD", "path": "/comment", "value": ""}],
        [{"op": "add", "path": 7, "value": ""}],
        [{"op": "add", "path": None, "value": ""}],
        [{"op": "add", "path": "comment", "value": ""}],
        [{"op": "add", "path": "/comment~2", "value": ""}],
        [{"op": "add", "path": "/comment/0", "value": ""}],
        [{"op": "add", "path": "/comment/-", "value": ""}],
        [{"op": "remove", "path": "/comment/0"}],
        [{"op": "replace", "path": "/schema/x/y", "value": ""}],
        [{"op": "add", "path": "/findings/a/b/c", "value": ""}],
        [{"op": "remove", "path": "/findings/none"}],
        [{"op": "test", "path": "/findings/none", "value": None}],
        [{"op": "remove", "path": "/" + "x" * 600}],
    ],
)
def test_a_patch_that_makes_no_sense_is_refused_with_a_code(patch):
    with pytest.raises((PatchInvalid, PatchTestFailed)):
        apply_patch(empty_document(), patch)


def test_a_patch_of_more_operations_than_an_edit_may_have_is_refused():
    with pytest.raises(PatchTooLarge):
        apply_patch(empty_document(), [{"op": "replace", "path": "/comment", "value": "x"}] * 1001)


PIECES = st.sampled_from(
    ["", "findings", "breasts", "R", "comment", "schema", "-", "0", "-1", "1e9", "~0", "~1", "~", "x"]
)
POINTERS = st.lists(PIECES, max_size=5).map(lambda parts: "".join(f"/{part}" for part in parts)) | st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "test", "move", "nonsense"]), "path": POINTERS},
    optional={"value": VALUES, "from": POINTERS},
)


@given(st.lists(OPERATIONS, max_size=4) | VALUES)
def test_no_patch_raises_anything_but_a_coded_error_or_touches_the_document(patch):
    document = empty_document()
    before = copy.deepcopy(document)
    with contextlib.suppress(MammoError):
        apply_patch(document, patch)
    assert document == before
