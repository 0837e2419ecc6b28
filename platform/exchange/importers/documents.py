"""Reading documents from what a data set says; ids come from names, so the same set gives the same document."""

import uuid
from collections.abc import Iterable, Mapping, Set
from typing import Any

#: The namespace of ids that are made of a data set's own names.
_NAMESPACE = uuid.UUID("b8c2a2b2-7d6f-5f0e-9a53-5a2f0f8d3c11")


def id_of(*parts: str) -> str:
    """The same UUID for the same names."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(parts)))


def add_finding(
    document: dict[str, Any], key: str, finding: Mapping[str, Any], marks: Iterable[tuple[str, Mapping[str, Any]]]
) -> None:
    """Add a finding with its marks as (image id, {kind, geometry}); `key` names it in its data set."""
    document["findings"][id_of("finding", key)] = {
        **finding,
        "marks": {
            id_of("mark", key, image_id, str(number)): {
                "image_id": image_id,
                "frame": 1,
                "kind": mark["kind"],
                "geometry": list(mark["geometry"]),
                "provenance": "imported",
            }
            for number, (image_id, mark) in enumerate(marks, start=1)
        },
    }


def merged(old: Mapping[str, Any] | None, new: dict[str, Any], sides: Set[str]) -> dict[str, Any]:
    """What a second import adds to the first: it speaks for the sides that it brought images of, the rest stays."""
    if old is None:
        return new
    kept = {key: finding for key, finding in old["findings"].items() if finding["laterality"] not in {*sides, None}}
    breasts = {side: new["breasts"][side] if side in sides else breast for side, breast in old["breasts"].items()}
    return {**new, "breasts": breasts, "findings": {**kept, **new["findings"]}}
