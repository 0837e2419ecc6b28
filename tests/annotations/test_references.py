"""What came with a data set is kept beside the readings, and fills nobody's worklist."""

import pytest

from annotations import queries, services
from annotations.errors import DocumentInvalid
from annotations.lexicon import empty_document
from annotations.models import Finding, Purpose, Reading, ReadingEdit, ReadingState, WorkItem
from tests.annotations.factories import a_finding, a_mark, an_exam, completed, leased

pytestmark = pytest.mark.django_db
SOURCE = "dataset:mini-mias"


def a_reference(project, exam, density="b", source=SOURCE):
    document = empty_document()
    document["breasts"]["R"] = {"density": density, "birads": "2", "density_source": "tissue3:G"}
    image = exam.images.first()
    marks = {"0190a0b0-0000-7000-8000-000000000002": a_mark(image)}
    document["findings"] = {"0190a0b0-0000-7000-8000-000000000001": a_finding(image, marks=marks)}
    return services.store_reference_reading(project=project, exam=exam, source=source, document=document)


def test_a_reference_is_complete_nobodys_and_has_its_findings(project):
    reading = a_reference(project, an_exam(project))
    assert (reading.state, reading.reader, reading.purpose) == (ReadingState.COMPLETE, None, Purpose.REFERENCE)
    assert (reading.density, Finding.objects.count(), reading.completed_revision) == ("b", 1, 1)


def test_a_reference_fills_no_work_item(project, reader):
    exam = an_exam(project)
    a_reference(project, exam)
    item = WorkItem.objects.get()
    assert (item.held, item.done) == (0, 0)
    assert leased(project, reader).exam == exam
    assert list(queries.unread_pool(project)) == [exam.pk]


def test_an_import_that_runs_twice_stores_a_reference_once(project):
    exam = an_exam(project)
    assert a_reference(project, exam) == a_reference(project, exam)
    assert Reading.objects.count() == ReadingEdit.objects.count() == 1


def test_a_corrected_reference_is_a_new_revision(project):
    exam = an_exam(project)
    a_reference(project, exam, density="b")
    reading = a_reference(project, exam, density="c")
    assert (reading.completed_revision, reading.density, Finding.objects.count()) == (2, "c", 1)


def test_two_sources_of_one_exam_are_two_references(project):
    exam = an_exam(project)
    a_reference(project, exam)
    a_reference(project, exam, source="dataset:phantoms")
    assert Reading.objects.count() == 2


def test_a_reference_speaks_the_lexicon_too(project):
    with pytest.raises(DocumentInvalid):
        a_reference(project, an_exam(project), density="F")
    assert not Reading.objects.exists()


def test_a_snapshot_takes_references_only_where_its_policy_says_so(project, reader):
    exam = an_exam(project)
    reference = a_reference(project, exam)
    primary = completed(leased(project, reader))
    assert list(queries.readings_for_snapshot(project, policy={"references": False})) == [primary]
    assert set(queries.readings_for_snapshot(project, policy={"references": True})) == {primary, reference}
