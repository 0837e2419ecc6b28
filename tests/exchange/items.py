"""The smallest valid items of a snapshot, for the tests of this floor and the next."""

import uuid
from typing import Any

NAMESPACE = uuid.UUID("6f7f5a4e-0000-4000-8000-000000000000")
SOURCE = "dataset:mini-mias"
READER = "0190b5a0-0000-7000-8000-000000000001"


def uid(name: str) -> str:
    """The same UUID for the same name."""
    return str(uuid.uuid5(NAMESPACE, name))


def an_image(
    name: str = "mdb001", *, laterality: str | None = "L", view: str | None = "MLO", **more: Any
) -> dict[str, Any]:
    """An image of 1024 x 1024 pixels of 0.2 mm."""
    return {
        "id": uid(f"image {name}"),
        "sop_uid": f"2.25.{uuid.UUID(uid(name)).int}",
        "laterality": laterality,
        "view": view,
        "rows": 1024,
        "cols": 1024,
        "spacing_mm": [0.2, 0.2],
        "spacing_source": "dataset",
        "bits_stored": 8,
        "photometric": "MONOCHROME2",
        "presentation": "film",
        "manufacturer": None,
        "model": None,
        "source_name": f"{name}.pgm",
        "sha256": uid(name).replace("-", "") * 2,
        **more,
    }


def a_mark(image: dict[str, Any], kind: str = "circle", geometry: Any = (500.0, 400.0, 30.0)) -> dict[str, Any]:
    """A mark in an image, in stored pixels."""
    geometry = list(geometry)
    return {"id": uid(f"mark {image['id']} {geometry}"), "image_id": image["id"], "frame": 1, "kind": kind,
            "geometry": geometry, "provenance": "human"}  # fmt: skip


def a_finding(*marks: dict[str, Any], type: str = "mass", **more: Any) -> dict[str, Any]:  # noqa: A002 - the finding's own word
    """A finding with these marks."""
    name = f"finding {type} {[mark['id'] for mark in marks]} {sorted(more.items())}"
    return {"id": uid(name), "type": type, "birads": "4", "laterality": "L", **more, "marks": list(marks)}


def an_item(
    name: str = "one",
    *,
    split: str = "train",
    density: str | None = "b",
    images: Any = None,
    findings: Any = (),
    **more: Any,
) -> dict[str, Any]:
    """An exam with the labels of one reading."""
    return {
        "schema": "mammoloop.item/1.0",
        "exam": {"id": uid(f"exam {name}"), "study_uid": "2.25.1", "label": name, "age_years": 52, "source": SOURCE},
        "patient": {"id": f"mini-mias:{name}"},
        "split": split,
        "reading": {"id": uid(f"reading {name}"), "revision": 3, "purpose": "primary", "source": "", "reader": READER},
        "density": {"label": density, "source": None},
        "breasts": {"L": {"density": density, "birads": "2"}, "R": {"density": density, "birads": "1"}},
        "findings": list(findings),
        "images": images if images is not None else [an_image(f"{name}a")],
        **more,
    }  # fmt: skip
