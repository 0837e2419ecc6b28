"""The words of a reading as data: its JSON schema, and what each code is called.

Source of the terms: ACR BI-RADS Atlas, 5th edition (mammography). A new version of the document is a new schema file
and a new name; readings keep the schema they were written in.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

READING_SCHEMA = "mammoloop.reading/1.0"
DENSITIES = ("a", "b", "c", "d")  # fatty to dense, so that the denser breast is the larger index
SIDES = ("R", "L")

_HERE = Path(__file__).parent


@cache
def reading_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a reading's document; geometry is checked by `annotations.rules`."""
    return json.loads((_HERE / "reading-1.0.schema.json").read_text(encoding="utf-8"))


@cache
def mark_shapes() -> dict[str, Any]:
    """The geometry of each kind of mark as a JSON schema; what numbers may be in it, `annotations.rules` says."""
    return {
        "box": _numbers("x0", "y0", "x1", "y1"),
        "ellipse": _numbers("cx", "cy", "rx", "ry", "deg"),
        "circle": _numbers("cx", "cy", "r"),
        "polygon": {
            "type": "array",
            "description": "rings without a repeated last point",
            "items": {"type": "array", "items": _numbers("x", "y")},
        },
        "point": _numbers("x", "y"),
    }


def _numbers(*names: str) -> dict[str, Any]:
    places = [{"type": "number", "description": name} for name in names]
    return {"type": "array", "prefixItems": places, "minItems": len(names), "maxItems": len(names)}


@cache
def terms() -> dict[str, list[dict[str, str]]]:
    """Every vocabulary of a reading: code and name, in the order in which a person is offered them."""
    return json.loads((_HERE / "terms.json").read_text(encoding="utf-8"))


def codes(vocabulary: str) -> list[str]:
    """The codes of one vocabulary."""
    return [term["code"] for term in terms()[vocabulary]]


def empty_document() -> dict[str, Any]:
    """What a reading says before its reader has said anything."""
    return {
        "schema": READING_SCHEMA,
        "breasts": {side: {"density": None, "birads": None} for side in SIDES},
        "findings": {},
        "comment": "",
    }
