"""Frozen dataclasses to JSON and back, and their JSON Schemas: one reading of the annotations for all three.

Supported types: str, int, float, bool, Any, dict, Literal, `X | None`, `tuple[X, ...]`, `tuple[X, Y]`, dataclasses.
A converter is compiled once per class, so that a manifest of 100,000 rows is read in seconds.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Converter = Callable[[Any, str], Any]


class RecordError(ValueError):
    """A JSON value does not fit its record; the text names the place and what was expected."""


def from_dict(cls: type[T], data: Any, *, strict: bool = False, where: str = "") -> T:
    """Build `cls` from parsed JSON. Unknown keys are ignored, or refused when `strict`.

    Raises RecordError.
    """
    return _of_dataclass(cls, strict)(data, where)


def to_dict(record: Any) -> Any:
    """Plain JSON values of a record; tuples become lists, `None` stays. Raises ValueError on NaN and infinity."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {field.name: to_dict(getattr(record, field.name)) for field in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {str(key): to_dict(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [to_dict(value) for value in record]
    if isinstance(record, float) and not math.isfinite(record):
        raise ValueError("NaN and infinity are never written")
    return record


def _fail(where: str, expected: str, got: Any) -> RecordError:
    return RecordError(f"{where or 'document'}: expected {expected}, got {type(got).__name__} {str(got)[:60]!r}")


def _any(value: Any, where: str) -> Any:
    return value


def _none(value: Any, where: str) -> None:
    if value is not None:
        raise _fail(where, "null", value)


def _str(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _fail(where, "a string", value)
    return value


def _bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _fail(where, "true or false", value)
    return value


def _int(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _fail(where, "a whole number", value)
    return value


def _float(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _fail(where, "a finite number", value)
    return float(value)


def _dict(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _fail(where, "an object", value)
    return value


_PLAIN: dict[Any, Converter] = {
    Any: _any, NoneType: _none, str: _str, bool: _bool, int: _int, float: _float, dict: _dict,
}  # fmt: skip


def _converter(kind: Any, strict: bool) -> Converter:
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _of_literal(args)
    if origin in (Union, UnionType):
        return _of_union(tuple(_converter(arg, strict) for arg in args), args)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _of_sequence(_converter(args[0], strict))
    if origin is tuple:
        return _of_pair(tuple(_converter(arg, strict) for arg in args))
    if origin is dict:
        return _dict
    if dataclasses.is_dataclass(kind):
        return _of_dataclass(kind, strict)
    raise TypeError(f"records do not know the type {kind!r}")


def _of_literal(values: tuple[Any, ...]) -> Converter:
    def convert(value: Any, where: str) -> Any:
        if value not in values:
            raise _fail(where, "one of " + ", ".join(map(str, values)), value)
        return value

    return convert


def _of_union(options: tuple[Converter, ...], args: tuple[Any, ...]) -> Converter:
    optional = NoneType in args
    rest = tuple(option for option, arg in zip(options, args, strict=True) if arg is not NoneType)

    def convert(value: Any, where: str) -> Any:
        if value is None and optional:
            return None
        if len(rest) == 1:
            return rest[0](value, where)
        for option in rest:
            try:
                return option(value, where)
            except RecordError:
                continue
        raise _fail(where, "another type", value)

    return convert


def _of_sequence(item: Converter) -> Converter:
    def convert(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise _fail(where, "a list", value)
        return tuple(item(entry, f"{where}[{n}]") for n, entry in enumerate(value))

    return convert


def _of_pair(items: tuple[Converter, ...]) -> Converter:
    def convert(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) != len(items):
            raise _fail(where, f"{len(items)} values", value)
        return tuple(item(entry, f"{where}[{n}]") for n, (item, entry) in enumerate(zip(items, value, strict=True)))

    return convert


def _of_dataclass(cls: Any, strict: bool) -> Converter:
    return _compiled(cls, strict)


@cache
def _compiled(cls: Any, strict: bool) -> Converter:
    hints = get_type_hints(cls)
    fields = {field.name: _converter(hints[field.name], strict) for field in dataclasses.fields(cls)}
    needed = {
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def convert(value: Any, where: str) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise _fail(where, "an object", value)
        dot = f"{where}." if where else ""
        if missing := sorted(needed - value.keys()):
            raise RecordError(f"{dot}{missing[0]}: is missing")
        if strict and (unknown := sorted(value.keys() - fields.keys())):
            raise RecordError(f"{dot}{unknown[0]}: unknown key")
        return cls(**{name: fields[name](entry, dot + name) for name, entry in value.items() if name in fields})

    return convert


def json_schema(cls: type, title: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a record."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_schema_of(cls)}


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null", dict: "object"}


def _schema_of(kind: Any) -> dict[str, Any]:
    if kind is Any:
        return {}
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema_of(arg) for arg in args]}
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _schema_of(args[0])}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema_of(arg) for arg in args], "minItems": len(args)}
    if origin is dict:
        return {"type": "object"}
    hints = get_type_hints(kind)
    required = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "type": "object",
        "properties": {field.name: _schema_of(hints[field.name]) for field in dataclasses.fields(kind)},
        "required": required,
    }
