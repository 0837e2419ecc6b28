"""Sign-in, and who sees whom."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import services
from accounts.models import Role, User

pytestmark = pytest.mark.django_db
GOOD = "Vermilion-kettle-42"


@pytest.fixture
def reader(site_admin: User) -> User:
    return services.create_user(username="reader1", password=GOOD, by=site_admin)


def test_signing_in_starts_a_new_session_and_signing_out_ends_it(reader: User) -> None:
    browser = Client()
    browser.get("/api/v1/me/")
    body = {"username": "reader1", "password": GOOD}
    answer = browser.post("/api/v1/session/", body, content_type="application/json")
    assert answer.status_code == 200 and answer.json()["username"] == "reader1"
    assert browser.get("/api/v1/me/").status_code == 200
    token = browser.cookies["csrftoken"].value
    assert browser.delete("/api/v1/session/", headers={"X-CSRFToken": token}).status_code == 204
    assert browser.get("/api/v1/me/").status_code == 401


def test_a_wrong_password_is_401_and_guessing_is_slowed_down(reader: User) -> None:
    browser, body = Client(REMOTE_ADDR="10.9.8.7"), {"username": "reader1", "password": "wrong-wrong-wrong"}
    codes = [browser.post("/api/v1/session/", body, content_type="application/json").status_code for _ in range(25)]
    assert codes[0] == 401 and codes[-1] == 429


def test_a_signed_in_page_without_the_csrf_token_changes_nothing(reader: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(reader)
    assert browser.post("/api/v1/tokens/", {}, content_type="application/json").status_code == 403


@pytest.mark.trap(63)
def test_nobody_registers_alone(api: Callable[..., Any], reader: User) -> None:
    assert api().post("/api/v1/users/", {"username": "eve"}).status_code == 401
    assert api(reader).post("/api/v1/users/", {"username": "eve"}).status_code == 403


def test_a_reader_sees_only_itself_and_its_projects(
    api: Callable[..., Any], project: Any, member: Any, reader: User
) -> None:
    inside = member("inside")
    assert [row["username"] for row in api(inside).get("/api/v1/users/").json()["results"]] == ["inside"]
    assert len(api(inside).get("/api/v1/projects/").json()["results"]) == 1
    assert api(reader).get(f"/api/v1/projects/{project.pk}/").status_code == 404


@pytest.mark.trap(55)
def test_filters_do_not_reach_into_other_tables(api: Callable[..., Any], site_admin: User) -> None:
    everyone = api(site_admin).get("/api/v1/memberships/").json()["results"]
    filtered = api(site_admin).get("/api/v1/memberships/?user__password__startswith=argon2").json()["results"]
    assert filtered == everyone  # an unknown filter is no filter


def test_an_administrator_of_a_project_gives_roles_and_a_reader_does_not(
    api: Callable[..., Any], project: Any, member: Any, reader: User
) -> None:
    body = {"project": str(project.pk), "user": str(reader.pk), "role": "reader"}
    assert api(member("r2")).post("/api/v1/memberships/", body).status_code == 403
    assert api(member("boss", Role.ADMIN)).post("/api/v1/memberships/", body).status_code == 201
