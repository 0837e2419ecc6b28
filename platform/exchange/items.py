"""A snapshot's item: one exam with the labels of one reading, copied so that nothing can change it from afar."""

from collections.abc import Iterable
from typing import Any

from exchange.rules import density_source, exam_density

SCHEMA = "mammoloop.item/1.0"
_OPTIONAL = ("subtype", "pathology", "difficulty", "source_label")


def item_of(
    *, exam: Any, images: Iterable[Any], split: str, reading: Any, document: dict[str, Any], revision: int
) -> dict[str, Any]:
    """The canonical content of an item, from the archive's exam and images and a reading's completed document.

    Geometry stays in stored pixels (corner origin). The comment is left out: it is free text about a person.
    """
    breasts = document["breasts"]
    return {
        "schema": SCHEMA,
        "exam": {
            "id": str(exam.id),
            "study_uid": exam.study_uid,
            "label": exam.label,
            "age_years": exam.age_years,
            "source": exam.source,
        },
        "patient": {"id": exam.patient.pseudonym},
        "split": split,
        "reading": {
            "id": str(reading.id),
            "revision": revision,
            "purpose": reading.purpose,
            "source": reading.source,
            "reader": str(reading.reader_id) if reading.reader_id else None,
        },
        "density": {"label": exam_density(breasts), "source": density_source(breasts)},
        "breasts": breasts,
        "findings": _findings(document["findings"]),
        "images": [image_of(image) for image in sorted(images, key=lambda i: (i.laterality, i.view, str(i.id)))],
    }


def _findings(findings: dict[str, Any]) -> list[dict[str, Any]]:
    ordered = sorted(findings.items(), key=lambda pair: (pair[1].get("order") or 0, pair[0]))
    return [
        {
            "id": finding_id,
            "type": finding["type"],
            "birads": finding.get("birads"),
            "laterality": finding.get("laterality"),
            **{key: finding[key] for key in _OPTIONAL if finding.get(key) is not None},
            "marks": [{"id": mark_id, **mark} for mark_id, mark in sorted(finding.get("marks", {}).items())],
        }
        for finding_id, finding in ordered
    ]


def image_of(image: Any) -> dict[str, Any]:
    """What an item says of one of the archive's images. `sha256` names the object in the store."""
    spacing = [image.spacing_row_mm, image.spacing_col_mm] if image.spacing_row_mm else None
    return {
        "id": str(image.id),
        "sop_uid": image.sop_uid,
        "laterality": image.laterality or None,
        "view": image.view or None,
        "rows": image.rows,
        "cols": image.cols,
        "spacing_mm": spacing,
        "spacing_source": image.spacing_source or None,
        "bits_stored": image.bits_stored,
        "photometric": image.photometric,
        "presentation": image.presentation,
        "manufacturer": image.manufacturer or None,
        "model": image.model_name or None,
        "source_name": image.source_name or None,
        "sha256": image.sha256,
    }
