"""What goes out: so told that the OpenAPI schema is true, on which the page and every other client are built."""

from typing import Any, TypeVar

from django.db.models import Model
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import force_instance
from rest_framework import serializers

Row = TypeVar("Row", bound=Model)


class RowOut(serializers.ModelSerializer[Row]):
    """A row as it is answered: each field is always there.

    Without this a column with a default, or one that may be blank, would be one that an answer may lack: the framework
    takes every serializer for a form.
    """

    def get_extra_kwargs(self) -> dict[str, Any]:
        return {name: {"read_only": True} for name in self.Meta.fields}


class Shaped(serializers.JSONField):
    """A JSON value that goes out as it is stored; `shape` (a serializer or a field) tells the schema what is in it."""

    def __init__(self, shape: Any, **given: Any) -> None:
        self.shape = shape
        super().__init__(**{"read_only": True, **given})


class ShapedSchema(OpenApiSerializerFieldExtension):
    """How the schema is made of a shape."""

    target_class = Shaped

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        return auto_schema._map_serializer_field(force_instance(self.target.shape), direction)


class Numbers(serializers.ListField):
    """So many numbers and no more: a pair, the corners of a box."""

    def __init__(self, count: int, **given: Any) -> None:
        self.count = count
        super().__init__(**{"child": serializers.FloatField(), "min_length": count, "max_length": count, **given})


class NumbersSchema(OpenApiSerializerFieldExtension):
    """A list with a type for each place, which clients read as a tuple."""

    target_class = Numbers

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        count = self.target.count
        return {"type": "array", "prefixItems": [{"type": "number"}] * count, "minItems": count, "maxItems": count}


def texts(**given: Any) -> serializers.ListField:
    """A list of strings."""
    return serializers.ListField(child=serializers.CharField(), **given)


def numbers(**given: Any) -> serializers.ListField:
    """A list of numbers."""
    return serializers.ListField(child=serializers.FloatField(), **given)


def counts(**given: Any) -> serializers.DictField:
    """How many of each name."""
    return serializers.DictField(child=serializers.IntegerField(), **given)


def figures(**given: Any) -> serializers.DictField:
    """A number for each name; null where there is none."""
    return serializers.DictField(child=serializers.FloatField(allow_null=True), **given)
