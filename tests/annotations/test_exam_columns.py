"""A list of exams says how far each is read, and to each person only what they may know of the answers."""

import pytest

from annotations import exam_columns, services
from annotations.models import Reading
from core.ids import uuid7
from tests.annotations.factories import DENSITY_C, a_finding, add, an_exam, completed, edited, leased
from tests.annotations.test_references import a_reference

pytestmark = pytest.mark.django_db


@pytest.fixture
def exams(project, reader):
    """Three exams: read with a mass and density c; held; waiting, with a reference of density b."""
    read, held, waiting = (an_exam(project) for _ in range(3))
    services.publish_order(project, [(exam.pk, None, {}) for exam in (read, held, waiting)], source={})
    reading = leased(project, reader)
    edited(reading, [*DENSITY_C, *add(f"/findings/{uuid7()}", a_finding())])
    completed(reading)
    leased(project, reader)
    a_reference(project, waiting)
    return {"read": str(read.pk), "held": str(held.pk), "waiting": str(waiting.pk)}


@pytest.fixture
def listed(project, api):
    def ask(user, **filters):
        answer = api(user).get("/api/v1/exams/", {"project": str(project.pk), **filters})
        assert answer.status_code == 200, answer.content
        return {row["id"]: row for row in answer.json()["results"]}

    return ask


def test_an_administrator_sees_state_density_and_findings_of_each_exam(listed, exams, site_admin):
    rows = listed(site_admin)
    assert {name: rows[exams[name]]["state"] for name in exams} == {name: name for name in exams}
    assert [rows[exams[name]]["density"] for name in ("read", "held", "waiting")] == ["c", None, "b"]
    assert [rows[exams[name]]["findings"] for name in ("read", "held", "waiting")] == [{"mass": 1}, {}, {"mass": 1}]


@pytest.mark.trap(25)
def test_another_reader_sees_no_answer_that_is_not_theirs(listed, exams, other, reader):
    blind = listed(other)
    assert {(row["density"], str(row["findings"])) for row in blind.values()} == {(None, "{}")}
    assert listed(other, density="c") == listed(other, finding="mass") == {}
    assert set(listed(reader, density="c")) == {exams["read"]}


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({"state": "read"}, {"read"}),
        ({"state": "held"}, {"held"}),
        ({"state": "waiting"}, {"waiting"}),
        ({"state": "nonsense"}, set()),
        ({"density": "c"}, {"read"}),
        ({"density": "b"}, {"waiting"}),
        ({"finding": "mass"}, {"read", "waiting"}),
        ({"finding": "asymmetry"}, set()),
        ({"unread": "1"}, {"held", "waiting"}),
        ({"unread": "1", "finding": "mass"}, {"waiting"}),
    ],
)
def test_the_list_is_narrowed_by_what_is_asked(listed, exams, site_admin, filters, fits):
    assert set(listed(site_admin, **filters)) == {exams[name] for name in fits}


def test_a_readers_word_is_shown_before_a_data_sets(listed, project, exams, site_admin):
    a_reference(project, Reading.objects.get(exam=exams["read"]).exam)
    assert listed(site_admin)[exams["read"]]["density"] == "c"


def test_the_columns_of_a_page_are_three_questions_however_many_exams_it_has(
    project, site_admin, exams, django_assert_num_queries
):
    ids = [*Reading.objects.values_list("exam", flat=True), *(an_exam(project).pk for _ in range(10))]
    with django_assert_num_queries(3):
        exam_columns.values(site_admin, project.pk, ids)
