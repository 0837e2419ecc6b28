"""The API refuses by default: every endpoint, found by walking the addresses."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from accounts.permissions import Anyone
from core.permissions import Refuse

#: Open to everybody on purpose: they hold no data, or are the door itself.
OPEN = {"session/", "me/", "schema/", "docs/"}
SOME_ID = "018f0000-0000-7000-8000-000000000000"


def walk(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, path)
        elif isinstance(entry, URLPattern):
            yield path, entry.callback


def endpoints() -> list[tuple[str, Any]]:
    return [(path, view) for path, view in walk() if path.startswith(("api/v1/", "dicomweb/"))]


def view_class(view: Any) -> type[APIView] | None:
    return getattr(view, "cls", None) or getattr(view, "view_class", None)


def address(path: str) -> str:
    """An address that fits a pattern, with made-up ids."""
    path = re.sub(r"<int:\w+>", "1", path)
    path = re.sub(r"\(\?P<\w+>[^()]*\)|<\w+:\w+>|<\w+>", SOME_ID, path)
    return "/" + re.sub(r"[\^$]|\\(?=[./Z])|Z$", "", path)


@pytest.mark.trap(59)
@pytest.mark.parametrize(("path", "view"), endpoints(), ids=[path for path, _ in endpoints()])
def test_a_view_says_who_may(path: str, view: Any) -> None:
    cls = view_class(view)
    if cls is None or not hasattr(cls, "permission_classes"):
        assert path == "api/v1/docs/" or getattr(view, "asks_permission", False), f"{path} has no permission of its own"
        return
    assert cls.permission_classes and Refuse not in cls.permission_classes
    if Anyone in cls.permission_classes:
        assert path.removeprefix("api/v1/") in OPEN


@pytest.mark.trap(60)
@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted({path for path, _ in endpoints() if path.removeprefix("api/v1/") not in OPEN}))
def test_a_stranger_gets_nothing(path: str, api: Callable[..., Any]) -> None:
    codes = {api().generic(method, address(path)).status_code for method in ("GET", "POST", "PATCH", "DELETE")}
    assert codes <= {401, 404, 405} and 401 in codes, codes


@pytest.mark.django_db
def test_the_schema_is_openapi_3_1_and_names_every_endpoint(api: Callable[..., Any]) -> None:
    answer = api().get("/api/v1/schema/?format=json")
    assert answer.status_code == 200
    schema = answer.json()
    assert schema["openapi"].startswith("3.1")
    missing = []
    for path, _ in endpoints():
        plain = "/" + re.sub(r"\(\?P<(\w+)>[^()]*\)|<\w+:(\w+)>|<(\w+)>", r"{}", path)
        plain = re.sub(r"[\^$]", "", plain)
        known = {re.sub(r"\{\w+\}", "{}", name) for name in schema["paths"]}
        if plain.startswith("/api/v1/") and plain not in known and ".(" not in plain and "schema" not in plain:
            missing.append(plain)
    assert missing in ([], ["/api/v1/docs/"]), missing


@pytest.mark.django_db
def test_the_schema_says_that_unknown_keys_are_refused(api: Callable[..., Any]) -> None:
    schema = api().get("/api/v1/schema/?format=json").json()
    bodies = [
        content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for operations in schema["paths"].values()
        for operation in operations.values()
        if "application/json" in (content := operation.get("requestBody", {}).get("content", {}))
    ]
    assert len(bodies) > 15
    assert [name for name in bodies if schema["components"]["schemas"][name]["additionalProperties"] is not False] == []
