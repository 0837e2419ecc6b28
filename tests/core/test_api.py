"""What every answer shares, seen through a real view (tokens)."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Project

pytestmark = pytest.mark.django_db


def test_the_same_key_twice_makes_one_project_and_one_answer(api: Callable[..., Any], site_admin: Any) -> None:
    client = api(site_admin)
    first = client.post("/api/v1/projects/", {"name": "a"}, HTTP_IDEMPOTENCY_KEY="key-1")
    again = client.post("/api/v1/projects/", {"name": "a"}, HTTP_IDEMPOTENCY_KEY="key-1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() and again.headers["Idempotent-Replayed"] == "true"
    assert Project.objects.filter(name="a").count() == 1


def test_a_key_used_for_another_request_is_refused(api: Callable[..., Any], site_admin: Any) -> None:
    client = api(site_admin)
    client.post("/api/v1/projects/", {"name": "a"}, HTTP_IDEMPOTENCY_KEY="key-1")
    other = client.post("/api/v1/projects/", {"name": "b"}, HTTP_IDEMPOTENCY_KEY="key-1")
    assert other.status_code == 409 and other.json()["code"] == "core.idempotency_key_reused"


def test_a_refused_request_is_remembered_as_refused(api: Callable[..., Any], member: Callable[..., Any]) -> None:
    client = api(member("reader1"))
    answers = [client.post("/api/v1/projects/", {"name": "x"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 403]


def test_a_stranger_gets_problem_json_with_a_request_id(api: Callable[..., Any]) -> None:
    answer = api().get("/api/v1/projects/")
    assert answer.status_code == 401 and answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "core.unauthenticated"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/dicomweb/nothing"])
def test_an_unknown_address_is_a_problem_not_a_page(api: Callable[..., Any], path: str) -> None:
    answer = api().get(path)
    assert answer.status_code == 404 and answer.json()["code"] == "core.missing"


@pytest.mark.trap(58)
def test_every_answer_carries_a_strict_content_security_policy(api: Callable[..., Any]) -> None:
    policy = api().get("/healthz").headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.trap(58)
def test_a_text_with_script_in_it_never_reaches_a_browser_as_script(api: Callable[..., Any], site_admin: Any) -> None:
    script = "<script>alert(1)</script>"
    made = api(site_admin).post("/api/v1/projects/", {"name": script})
    assert made.status_code == 201
    address = f"/api/v1/projects/{made.json()['id']}/"
    answers = {kind: api(site_admin).get(address, HTTP_ACCEPT=kind) for kind in ("text/html", "*/*", "image/png")}
    for answer in answers.values():
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and "Content-Security-Policy" in answer.headers
    assert answers["*/*"].headers["Content-Type"] == "application/json" and answers["*/*"].json()["name"] == script
    page = answers["text/html"].content.decode()  # the API as it is browsed: written out, not run
    assert script not in page and "&lt;script&gt;alert(1)" in page


def test_a_document_nested_thousands_deep_is_refused_and_not_a_crash(api: Callable[..., Any], site_admin: Any) -> None:
    deep = '{"name": ' + "[" * 100_000 + "]" * 100_000 + "}"
    answer = api(site_admin).generic("POST", "/api/v1/tokens/", deep, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["code"] == "core.bad_request"
