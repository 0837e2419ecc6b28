"""A REST client that holds what it sends and what it gets against the schema that the front end is built on.

The schema is the committed `frontend/openapi.json`; that it is the code's own, `tests/contracts/test_house.py` sees to.
Stricter than a client must be: a field that the schema does not name is refused too, or it would stay unnamed.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

SCHEMA = Path(__file__).resolve().parents[2] / "frontend" / "openapi.json"
#: `ml` may say more of a run than the schema names: a page ignores it.
OPEN = {"RunEventOut"}
#: The schema itself, and its pages for people.
NOT_OF_THE_SCHEMA = ("/api/v1/schema/", "/api/v1/docs/")
ADVICE = "Is the answer wrong, or the schema (then its serializer; `make docs` writes it again)?"


class NotAsTheSchemaSays(AssertionError):
    """The API and its schema differ."""


@cache
def schema() -> dict[str, Any]:
    """The committed schema, what is answered closed."""
    document = json.loads(SCHEMA.read_text())
    for name, component in document["components"]["schemas"].items():
        is_open = name in OPEN or name.endswith("Request") or "allOf" in component
        if "properties" in component and not is_open:
            component.setdefault("additionalProperties", False)
    return document


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Addresses as patterns, those without an id first: `jobs/events/` is not a job called events."""
    paths = sorted(schema()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\?\{\w+\\?\}", "[^/]+", re.escape(path)) + r"\Z"), path) for path in paths]


def template_of(path: str) -> str | None:
    """The address of the schema that a path, perhaps with a query, belongs to: `/api/v1/runs/{id}/`."""
    plain = urlsplit(path).path
    return next((template for pattern, template in _patterns() if pattern.match(plain)), None)


@cache
def _validator(path: str, method: str, *way: str) -> Draft202012Validator | None:
    """What checks the JSON of an operation, `way` into it (`responses 200`); None where it has none."""
    place = schema()["paths"][path][method]
    for step in way:
        place = place.get(step, {})
    found = place.get("content", {})
    content = found.get("application/json") or found.get("application/problem+json")
    if content is None:
        return None
    return Draft202012Validator({**content["schema"], "components": schema()["components"]})


def _hold(validator: Draft202012Validator | None, value: Any, what: str) -> None:
    if validator is None:
        raise NotAsTheSchemaSays(f"{what}: the schema knows no such JSON. {ADVICE}")
    error = next(validator.iter_errors(value), None)
    if error is not None:
        raise NotAsTheSchemaSays(f"{what}, at {error.json_path}: {error.message[:500]} {ADVICE}")


def check_answer(method: str, asked: str, status: int, content_type: str, content: bytes) -> None:
    """An answer is one that the schema tells of. Raises NotAsTheSchemaSays."""
    path, what = template_of(asked), f"{method} {asked}, {status}"
    if path is None:
        if status < 400:
            raise NotAsTheSchemaSays(f"{what}: the schema does not know the address")
        return
    operation = schema()["paths"][path].get(method.lower())
    if operation is None or status >= 500:
        return
    if status < 400 and str(status) not in operation["responses"]:
        raise NotAsTheSchemaSays(f"{what}: the schema does not know the status")
    if "json" in content_type:
        known = str(status) if str(status) in operation["responses"] else "default"
        _hold(_validator(path, method.lower(), "responses", known), json.loads(content), what)


def check_body(method: str, asked: str, body: Any) -> None:
    """What the server took is what the schema says that it takes. Raises NotAsTheSchemaSays."""
    path = template_of(asked) or ""
    operation = schema()["paths"].get(path, {}).get(method.lower(), {})
    if "requestBody" in operation:
        _hold(_validator(path, method.lower(), "requestBody"), body, f"what was sent to {method} {asked}")


class CheckedClient(APIClient):
    """The framework's client, but what the schema does not say is an error."""

    def generic(
        self, method: str, path: str, data: Any = "", content_type: str = "application/octet-stream", **extra: Any
    ) -> Any:
        response: Any = super().generic(method, path, data, content_type, **extra)
        if not path.startswith("/api/v1/") or path.startswith(NOT_OF_THE_SCHEMA):
            return response
        if response.status_code < 400 and data and "json" in content_type:
            check_body(method, path, json.loads(data))
        if not response.streaming:
            kind = response.headers.get("Content-Type", "")
            check_answer(method, path, response.status_code, kind, response.content)
        return response
