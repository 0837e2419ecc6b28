"""Readings over REST: who may what, what is answered, and what a client needs to lose nothing."""

from uuid import uuid4

import pytest

from accounts.models import Role
from accounts.services import create_project
from annotations import services
from annotations.lexicon import READING_SCHEMA
from annotations.models import Reading, ReadingState
from core.ids import uuid7
from tests.annotations.factories import DENSITY_C, a_finding, add, an_exam, completed, edited, leased, replace
from tests.annotations.test_references import a_reference

pytestmark = pytest.mark.django_db
V1 = "/api/v1"


@pytest.fixture
def reading(project, reader):
    an_exam(project)
    return leased(project, reader)


def address(reading, deed=""):
    return f"{V1}/readings/{reading.pk}/{deed}"


def patched(client, reading, revision, patch=DENSITY_C, edit_id=None):
    body = {"edit_id": str(edit_id or uuid7()), "patch": patch}
    return client.patch(address(reading), body, headers={"If-Match": f'"{revision}"'})


# --- the way of a reading ---------------------------------------------------------------------------------------
def test_a_reader_gets_edits_completes_and_gets_the_next(project, api, reader):
    exams = [an_exam(project) for _ in range(2)]
    services.publish_order(project, [(exam.pk, None, {}) for exam in exams], source={})
    client = api(reader)
    first = client.post(f"{V1}/worklist/next/", {"project": str(project.pk)})
    assert (first.status_code, first["ETag"], first.json()["exam"]) == (200, '"0"', str(exams[0].pk))
    reading = Reading.objects.get()

    image = exams[0].images.get(laterality="R")
    said = [*DENSITY_C, *add(f"/findings/{uuid7()}", a_finding(image))]
    answer = patched(client, reading, 0, said)
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert answer.json()["revision"] == 1
    assert answer.json()["receipt"] == client.get(address(reading)).json()["receipt"]
    assert answer.json()["receipt"]["marks"] == 1

    done = client.post(address(reading, "complete/"), headers={"If-Match": '"1"'})
    assert (done.status_code, done.json()["state"], done.json()["density"]) == (200, "complete", "c")
    second = client.post(f"{V1}/worklist/next/", {"project": str(project.pk)})
    assert second.json()["exam"] == str(exams[1].pk)
    waits = client.get(f"{V1}/worklist/", {"project": str(project.pk)}).json()
    assert waits == {
        "left": 1, "mine_held": 1, "done": 1, "last_completed": str(reading.pk), "upcoming": None
    }  # fmt: skip


def test_nothing_left_is_204(project, api, reader):
    answer = api(reader).post(f"{V1}/worklist/next/", {"project": str(project.pk)})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_reading_comes_back_exactly_as_it_was_sent(api, reading, reader):
    client, image = api(reader), reading.exam.images.first()
    finding = a_finding(image)
    for mark in finding["marks"].values():
        mark["geometry"] = [0.1 + 0.2, 1 / 3, 799.9999999999999, 500.00000095367432]
    key = str(uuid7())
    patched(client, reading, 0, add(f"/findings/{key}", finding))
    body = client.get(address(reading))
    assert body["ETag"] == '"1"'
    assert body.json()["document"]["findings"][key] == finding


@pytest.mark.trap(21)
def test_the_same_edit_twice_is_answered_the_same(api, reading, reader):
    edit_id = uuid7()
    first = patched(api(reader), reading, 0, edit_id=edit_id)
    again = patched(api(reader), reading, 0, edit_id=edit_id)
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.trap(22)
def test_a_stale_edit_is_412_with_both_versions(api, reading, reader):
    edited(reading, replace("/comment", "first window"))
    patch = replace("/comment", "second window")
    answer = patched(api(reader), reading, 0, patch)
    assert answer.status_code == 412
    both = answer.json()["errors"]
    assert both["yours"] == {"revision": 0, "patch": patch}
    assert both["theirs"]["revision"] == 1
    assert both["theirs"]["document"]["comment"] == "first window"


def test_an_edit_without_a_revision_is_428(api, reading, reader):
    body = {"edit_id": str(uuid7()), "patch": DENSITY_C}
    assert api(reader).patch(address(reading), body).status_code == 428
    assert api(reader).post(address(reading, "complete/")).status_code == 428


def test_a_lost_lease_is_409_and_the_work_is_still_there(project, api, reading, reader, other, hands):
    edited(reading, replace("/comment", "kept"))
    hands.advance(minutes=11)
    leased(project, other)
    answer = patched(api(reader), reading, 1)
    assert (answer.status_code, answer.json()["code"]) == (409, "annotations.lease_lost")
    assert api(reader).post(address(reading, "lease/")).json()["code"] == "annotations.lease_lost"
    assert api(reader).get(address(reading)).json()["document"]["comment"] == "kept"


@pytest.mark.trap(27)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"patch": DENSITY_C},
        {"edit_id": "7", "patch": DENSITY_C},
        {"edit_id": str(uuid4()), "patch": "all"},
        {"edit_id": str(uuid4()), "patch": []},
        {"edit_id": str(uuid4()), "patch": [{"op": "move", "from": "/comment", "path": "/schema"}]},
        {"edit_id": str(uuid4()), "patch": replace("/breasts/R/density", "e")},
        {"edit_id": str(uuid4()), "patch": replace("/comment", "a\0b")},
        {"edit_id": str(uuid4()), "patch": replace("", None)},
        {"edit_id": str(uuid4()), "patch": [{"op": "remove", "path": "/breasts"}]},
        {"edit_id": str(uuid4()), "patch": add("/findings/not-a-uuid", a_finding())},
    ],
)
def test_nonsense_is_422_with_a_code_and_changes_nothing(api, reading, reader, body):
    answer = api(reader).patch(address(reading), body, headers={"If-Match": '"0"'})
    assert answer.status_code == 422
    assert answer.json()["code"].startswith(("annotations.", "core."))
    assert Reading.objects.get().revision == 0


@pytest.mark.parametrize("depth", [20, 400, 900])
def test_a_value_nested_deeper_than_any_document_is_refused(api, reading, reader, depth):
    deep = "[" * depth + "]" * depth
    body = f'{{"edit_id": "{uuid7()}", "patch": [{{"op": "add", "path": "/comment", "value": {deep}}}]}}'
    client = api(reader)
    answer = client.patch(address(reading), body, content_type="application/json", headers={"If-Match": '"0"'})
    assert (answer.status_code, answer.json()["code"]) == (422, "annotations.document_invalid")


def test_a_reading_is_amended_discarded_skipped_flagged_and_released_over_http(project, api, reading, reader):
    client = api(reader)
    assert client.post(address(reading, "flag/"), {"reason": "implant?"}).json()["flag_reason"] == "implant?"
    assert client.post(address(reading, "release/")).json()["state"] == "released"
    assert client.post(address(reading, "lease/")).json()["state"] == "leased"
    patched(client, reading, 0)
    client.post(address(reading, "complete/"), headers={"If-Match": '"1"'})
    assert client.post(address(reading, "amend/")).json()["state"] == "amending"
    assert client.post(address(reading, "discard/")).json()["state"] == "complete"
    an_exam(project)
    second = leased(project, reader)
    assert client.post(address(second, "skip/"), {}).status_code == 422
    assert client.post(address(second, "skip/"), {"reason": "no view readable"}).json()["state"] == "released"


def test_the_journal_is_told_line_by_line(api, reading, reader):
    edited(reading)
    edited(reading, replace("/comment", "x"))
    lines = api(reader).get(address(reading, "edits/")).json()["results"]
    assert [(line["revision"], line["actor"]) for line in lines] == [(1, str(reader.pk)), (2, str(reader.pk))]
    assert lines[0]["patch"] == DENSITY_C


def test_the_lexicon_has_the_schema_and_every_term(api, reader):
    words = api(reader).get(f"{V1}/lexicon/").json()
    assert words["schema"] == words["empty"]["schema"] == READING_SCHEMA
    assert [term["code"] for term in words["densities"]] == ["a", "b", "c", "d"]
    assert words["json_schema"]["additionalProperties"] is False


def test_the_list_is_narrowed_by_exam_purpose_state_and_reader(project, api, reading, site_admin, other):
    a_reference(project, reading.exam)
    an_exam(project)
    completed(leased(project, other))

    def listed(user, **given):
        answer = api(user).get(f"{V1}/readings/", {"project": str(project.pk), **given})
        assert answer.status_code == 200, answer.json()
        return len(answer.json()["results"])

    assert listed(site_admin) == 3
    assert listed(site_admin, exam=str(reading.exam_id)) == 2
    assert listed(site_admin, purpose="reference") == 1
    assert listed(site_admin, state="complete") == 2
    assert listed(other, mine=1) == 1
    assert api(other).get(f"{V1}/readings/").status_code == 422
    assert api(other).get(f"{V1}/readings/", {"project": str(project.pk), "state": "done"}).status_code == 422


@pytest.mark.trap(55)
@pytest.mark.parametrize("given", ["reader__password", "reader__password__startswith", "project__memberships__user"])
def test_a_filter_over_the_paths_of_tables_is_no_filter(project, api, reading, site_admin, given):
    answer = api(site_admin).get(f"{V1}/readings/", {"project": str(project.pk), given: "argon2"})
    assert len(answer.json()["results"]) == 1


def test_a_list_does_not_ask_the_database_once_a_reading(
    project, api, site_admin, reader, django_assert_max_num_queries
):
    for _ in range(8):
        an_exam(project)
        completed(leased(project, reader))
    with django_assert_max_num_queries(6):
        assert len(api(site_admin).get(f"{V1}/readings/", {"project": str(project.pk)}).json()["results"]) == 8


# --- who sees what ----------------------------------------------------------------------------------------------
PEOPLE = ["nobody", "stranger", "owner", "reader", "adjudicator", "researcher", "admin", "site_admin"]
SEES = {
    "leased": [401, 404, 200, 404, 404, 404, 200, 200],
    "complete": [401, 404, 200, 404, 200, 200, 200, 200],
    "reference": [401, 404, None, 404, 404, 200, 200, 200],
}
MAY = {
    # of a complete reading, except where it says leased
    "GET edits/": [401, 404, 200, 404, 403, 403, 200, 200],
    "POST amend/": [401, 404, 200, 404, 403, 403, 403, 403],
    "POST flag/": [401, 404, 200, 404, 403, 403, 403, 403],
    "PATCH ": [401, 404, 409, 404, 403, 403, 403, 403],
    "POST complete/": [401, 404, 200, 404, 403, 403, 403, 403],
    "POST discard/": [401, 404, 409, 404, 403, 403, 403, 403],
    "POST release/": [401, 404, 409, 404, 403, 403, 403, 403],
    "POST skip/": [401, 404, 409, 404, 403, 403, 403, 403],
    "POST lease/": [401, 404, 409, 404, 403, 403, 403, 403],
}
OF_PROJECT = {
    "POST worklist/next/": [401, 404, 204, 200, 200, 403, 403, 200],
    "GET worklist/": [401, 404, 200, 200, 200, 200, 200, 200],
    "GET readings/": [401, 404, 200, 200, 200, 200, 200, 200],
    "GET lexicon/": [401, 200, 200, 200, 200, 200, 200, 200],
}


@pytest.fixture
def person(project, member, site_admin, reader):
    def find(name):
        if name == "nobody":
            return None
        if name == "stranger":
            return member("stranger", Role.READER, into=create_project(name="Elsewhere", by=site_admin))
        known = {"owner": reader, "site_admin": site_admin}
        return known[name] if name in known else member(f"a-{name}", Role(name))

    return find


@pytest.mark.trap(59)
@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", SEES)
def test_a_reading_is_seen_by_whom_the_table_says(project, api, reading, person, who, what):
    expected = SEES[what][PEOPLE.index(who)]
    if expected is None:
        return
    shown = a_reference(project, reading.exam) if what == "reference" else reading
    if what == "complete":
        completed(reading)
    client = api(person(who))
    assert client.get(address(shown)).status_code == expected
    if expected == 200:
        listed = client.get(f"{V1}/readings/", {"project": str(project.pk)}).json()["results"]
        assert str(shown.pk) in [row["id"] for row in listed]


@pytest.mark.trap(59)
@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", MAY)
def test_a_complete_reading_is_changed_by_whom_the_table_says(api, reading, person, who, what):
    completed(reading)
    method, deed = what.split(" ")
    body = {"edit_id": str(uuid7()), "patch": DENSITY_C} if method == "PATCH" else {"reason": "x"}
    call = getattr(api(person(who)), method.lower())
    answer = call(address(reading, deed), None if method == "GET" else body, headers={"If-Match": '"1"'})
    assert answer.status_code == MAY[what][PEOPLE.index(who)], answer.content


@pytest.mark.trap(59)
@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("what", OF_PROJECT)
def test_a_worklist_is_open_to_whom_the_table_says(project, api, reading, person, who, what):
    completed(reading)
    an_exam(project)
    if what.startswith("POST") and who == "owner":
        completed(leased(project, reading.reader))
    method, place = what.split(" ")
    answer = getattr(api(person(who)), method.lower())(f"{V1}/{place}", {"project": str(project.pk)})
    assert answer.status_code == OF_PROJECT[what][PEOPLE.index(who)], answer.content


@pytest.mark.trap(25)
@pytest.mark.parametrize("role", [Role.READER, Role.ADJUDICATOR, Role.RESEARCHER])
def test_only_administrators_see_the_order_of_serving_and_its_reasons(project, api, member, site_admin, role):
    exams = [an_exam(project), an_exam(project), an_exam(project, split="test")]
    services.publish_order(project, [(exams[1].pk, 0.9, {"why": "uncertainty"})], source={})
    at = {"project": str(project.pk)}
    assert "entries" not in api(member("someone", role)).get(f"{V1}/worklist/", at).json()
    told = api(site_admin).get(f"{V1}/worklist/", at).json()
    assert [row["exam"] for row in told["entries"]] == [str(exams[n].pk) for n in (2, 1, 0)]
    assert [row["position"] for row in told["entries"]] == [None, 1, None]
    assert told["entries"][1]["reason"] == {"why": "uncertainty"}


def test_the_order_of_serving_is_told_page_by_page(project, api, site_admin):
    exams = [an_exam(project) for _ in range(7)]
    services.publish_order(project, [(exam.pk, None, {}) for exam in exams[:4]], source={})
    client, seen = api(site_admin), []
    page = f"{V1}/worklist/?project={project.pk}&page_size=3"
    while page:
        body = client.get(page).json()
        seen += [row["exam"] for row in body["entries"]]
        page = body["next"]
    assert seen[:4] == [str(exam.pk) for exam in exams[:4]]
    assert sorted(seen) == sorted(str(exam.pk) for exam in exams)


def test_others_see_what_was_completed_not_what_is_being_amended(api, reading, member):
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    edited(reading, replace("/comment", "half a thought"))
    assert reading.state == ReadingState.AMENDING
    told = api(member("someone", Role.RESEARCHER)).get(address(reading)).json()
    assert (told["revision"], told["document"]["comment"]) == (1, "")
    assert api(reading.reader).get(address(reading)).json()["document"]["comment"] == "half a thought"
