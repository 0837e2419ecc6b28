"""No body of a request is half understood."""

from collections.abc import Callable
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Token, User
from core.bodies import Body

pytestmark = pytest.mark.django_db


def test_a_key_that_nobody_knows_is_refused_with_the_known(api: Callable[..., Any], site_admin: User) -> None:
    answer = api(site_admin).post("/api/v1/projects/", {"name": "Second", "raedings_per_exam": 2})
    assert answer.status_code == 422
    assert "readings_per_exam" in str(answer.json()["errors"]["fields"]["raedings_per_exam"])
    assert not any(row["name"] == "Second" for row in api(site_admin).get("/api/v1/projects/").json()["results"])


def test_what_is_no_object_keeps_its_own_refusal(api: Callable[..., Any], site_admin: User) -> None:
    assert api(site_admin).post("/api/v1/projects/", ["name"]).status_code == 422


def test_every_body_is_one() -> None:
    """Whatever the schema names as the body of a request of fields is made from `Body`."""
    asked = {
        content["schema"]["$ref"].rsplit("/", 1)[1]
        for path in SchemaGenerator().get_schema(request=None, public=True)["paths"].values()
        for operation in path.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content.get("schema", {})
    }
    ours = {f"{change}{one.__name__}Request" for one in _below(Body) for change in ("", "Patched")}
    assert asked and asked <= ours, sorted(asked - ours)


def _below(kind: type) -> set[type]:
    return {kind}.union(*(_below(child) for child in kind.__subclasses__()))


def test_a_secret_is_not_kept_for_a_second_asking(api: Callable[..., Any], site_admin: User) -> None:
    client, headers = api(site_admin), {"Idempotency-Key": "one"}
    first = client.post("/api/v1/tokens/", {"name": "a"}, headers=headers).json()
    second = client.post("/api/v1/tokens/", {"name": "a"}, headers=headers).json()
    assert first["secret"] != second["secret"] and Token.objects.count() == 2
