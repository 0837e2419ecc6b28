"""A reading's document in the API's schema: the lexicon's own JSON schema, and with it what each kind of mark is."""

import json
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from annotations.lexicon import mark_shapes, reading_schema

_DOCUMENT = "ReadingDocument"
_SHAPE = "ReadingShape"


class DocumentField(serializers.JSONField):
    """A reading's document as it is stored."""


class ShapeField(serializers.JSONField):
    """The kind and geometry of a mark, in stored pixels."""


class DocumentSchema(OpenApiSerializerFieldExtension):
    """Puts the document and each of its definitions into the schema as components of their own."""

    target_class: type[serializers.JSONField] = DocumentField
    shown = _DOCUMENT

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        for name, schema in components().items():
            component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
            auto_schema.registry.register_on_missing(component)
        return _reference(self.shown)


class ShapeSchema(DocumentSchema):
    target_class = ShapeField
    shown = _SHAPE


def components() -> dict[str, Any]:
    """The lexicon's schema cut into components: `ReadingDocument`, `ReadingFinding`, `ReadingMark`, ..."""
    text = json.dumps(reading_schema())
    for name in reading_schema()["$defs"]:
        text = text.replace(f'"#/$defs/{name}"', json.dumps(_reference(_component(name))["$ref"]))
    whole = json.loads(text)
    parts = {_component(name): schema for name, schema in whole.pop("$defs").items()}
    parts[_component("mark")] = _told_by_kind(parts[_component("mark")])
    del whole["$schema"], whole["$id"]  # these speak of a file of its own
    return {_DOCUMENT: whole, _SHAPE: {"oneOf": [_of_kind(*pair) for pair in mark_shapes().items()]}, **parts}


def _component(name: str) -> str:
    return f"Reading{name.capitalize()}"


def _reference(component: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{component}"}


def _told_by_kind(mark: dict[str, Any]) -> dict[str, Any]:
    """A mark with its geometry by kind. The lexicon leaves that to `annotations.rules`, whose errors say more."""
    told = {name: schema for name, schema in mark["properties"].items() if name not in ("kind", "geometry")}
    return {
        "type": "object",
        "description": mark["description"],
        "required": [name for name in mark["required"] if name in told],
        "properties": told,
        "allOf": [_reference(_SHAPE)],
    }


def _of_kind(kind: str, geometry: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["kind", "geometry"],
        "properties": {"kind": {"type": "string", "const": kind}, "geometry": geometry},
    }
