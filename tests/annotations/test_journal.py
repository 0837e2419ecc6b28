"""Whatever a reader does, replaying the journal gives the document."""

import contextlib
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations import journal, services
from annotations.models import Finding, Mark
from annotations.rules import receipt_of
from core.errors import MammoError
from core.ids import uuid7
from tests.annotations.factories import a_finding, a_mark, an_exam, leased

pytestmark = pytest.mark.django_db

IDS = [str(UUID(int=0x7000 << 64 | 2 << 62 | n)) for n in range(3)]
KEY = st.sampled_from(IDS)
SIDE = st.sampled_from(["R", "L"])
COORDINATE = st.floats(0, 300, allow_subnormal=False)
BOX = st.tuples(COORDINATE, COORDINATE).map(lambda at: [at[0], at[1], at[0] + 40.1, at[1] + 1 / 3])
#: What a person does, as (deed, finding, mark, something said).
DEED = st.one_of(
    st.tuples(st.just("finding"), KEY, KEY, st.sampled_from(["mass", "asymmetry", "tumour"])),
    st.tuples(st.just("remove"), KEY, KEY, st.none()),
    st.tuples(st.just("mark"), KEY, KEY, BOX),
    st.tuples(st.just("move"), KEY, KEY, BOX),
    st.tuples(st.just("erase"), KEY, KEY, st.none()),
    st.tuples(st.just("density"), SIDE, KEY, st.sampled_from(["a", "b", "c", "d", None, "e"])),
    st.tuples(st.just("comment"), KEY, KEY, st.text(max_size=20)),
    st.tuples(st.just("complete"), KEY, KEY, st.none()),
    st.tuples(st.just("discard"), KEY, KEY, st.none()),
)


def patch_of(deed, finding, mark, said, image):
    at = f"/findings/{finding}"
    return {
        "finding": lambda: [{"op": "add", "path": at, "value": a_finding(type=said)}],
        "remove": lambda: [{"op": "remove", "path": at}],
        "mark": lambda: [{"op": "add", "path": f"{at}/marks/{mark}", "value": a_mark(image, geometry=said)}],
        "move": lambda: [{"op": "replace", "path": f"{at}/marks/{mark}/geometry", "value": said}],
        "erase": lambda: [{"op": "remove", "path": f"{at}/marks/{mark}"}],
        "density": lambda: [{"op": "replace", "path": f"/breasts/{finding}/density", "value": said}],
        "comment": lambda: [{"op": "replace", "path": "/comment", "value": said}],
    }[deed]()


def do(reading, deed, finding, mark, said, image):
    by = reading.reader
    if deed == "complete":
        services.complete_reading(reading.pk, by=by, revision=reading.revision)
        services.amend_reading(reading.pk, by=by)
    elif deed == "discard":
        services.discard_amendment(reading.pk, by=by)
        services.amend_reading(reading.pk, by=by)
    else:
        patch = patch_of(deed, finding, mark, said, image)
        services.apply_edit(reading.pk, by=by, revision=reading.revision, edit_id=uuid7(), patch=patch)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEED, max_size=12))
def test_replaying_the_journal_gives_the_document_at_every_revision(project, member, deeds):
    exam = an_exam(project, images="R-CC")
    image = exam.images.get()
    reading = leased(project, member(f"reader-{exam.pk}"))
    told = {0: reading.document}
    for deed in deeds:
        with contextlib.suppress(MammoError):  # a refused deed leaves no trace
            do(reading, *deed, image)
        reading.refresh_from_db()
        told[reading.revision] = reading.document
    lines = list(reading.edits.order_by("revision"))
    assert [line.revision for line in lines] == list(range(1, reading.revision + 1))
    for revision, document in told.items():
        assert journal.replay(reading, to_revision=revision) == document
    for line in lines:
        assert line.sha256 == receipt_of(journal.replay(reading, to_revision=line.revision)).sha256
    signed = reading.completed_document or {"findings": {}}
    assert {str(key) for key in Finding.objects.filter(reading=reading).values_list("key", flat=True)} == set(
        signed["findings"]
    )
    marks = Mark.objects.filter(finding__reading=reading).values_list("finding__key", "key", "geometry")
    assert {(str(of), str(key)): geometry for of, key, geometry in marks} == {
        (of, key): mark["geometry"]
        for of, finding in signed["findings"].items()
        for key, mark in finding["marks"].items()
    }
