"""The OpenAPI 3.1 schema: open to everybody, for it holds no data; and its file, which the front end is built on."""

import json
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

from accounts.permissions import Anyone

_PROBLEM = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "cure", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "where the code is explained"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "a sentence for people"},
        "code": {"type": "string", "description": "stable, as in docs/errors.md"},
        "cure": {"type": "string", "description": "what to do about it"},
        "errors": {
            "type": "object",
            "description": "particulars by the code, such as `fields`",
            "additionalProperties": {},
        },
        "request_id": {"type": "string"},
    },
}


class Schema(SpectacularAPIView):
    permission_classes = [Anyone]


def tell_of_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of every operation that it may refuse, and how."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            for status, answer in answers.items():
                if status.startswith("4"):
                    answer.setdefault("content", content)
            answers["default"] = {"description": "Refused; the code says why.", "content": content}
    return result


def tell_of_unknown_keys(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of the body of every request that a key which it does not know is refused (`core.bodies`)."""
    schemas = result["components"]["schemas"]
    for path in result["paths"].values():
        for operation in path.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if reference := media["schema"].get("$ref"):
                    schemas[reference.rpartition("/")[2]]["additionalProperties"] = False
    return result


def schema_text() -> str:
    """The schema as `frontend/openapi.json` keeps it: the same code gives the same bytes."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
