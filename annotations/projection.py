"""Findings and marks as rows: what the last completed document of a reading says, for questions across readings."""

from collections.abc import Iterator
from typing import Any

from annotations.models import Finding, Mark, Reading
from annotations.rules import exam_density

_TEXTS = ("birads", "laterality", "subtype", "pathology", "difficulty", "source_label")


def rebuild_findings(reading: Reading) -> None:
    """Replace the rows of a reading by what it says as last completed. The caller saves the reading's density."""
    reading.findings.all().delete()
    document = reading.completed_document
    if document is None:
        reading.density = ""
        return
    reading.density = exam_density(document) or ""
    rows = {key: _finding(reading, key, said) for key, said in document["findings"].items()}
    Finding.objects.bulk_create(rows.values(), batch_size=500)
    marks = (mark for key, said in document["findings"].items() for mark in _marks(rows[key], said))
    Mark.objects.bulk_create(marks, batch_size=500)


def _finding(reading: Reading, key: str, said: dict[str, Any]) -> Finding:
    texts = {name: said.get(name) or "" for name in _TEXTS}
    revision = reading.completed_revision or 0
    return Finding(reading=reading, revision=revision, key=key, type=said["type"], order=said["order"], **texts)


def _marks(finding: Finding, said: dict[str, Any]) -> Iterator[Mark]:
    for key, mark in said["marks"].items():
        yield Mark(
            finding=finding,
            key=key,
            image_id=mark["image_id"],
            frame=mark["frame"],
            kind=mark["kind"],
            geometry=mark["geometry"],
            provenance=mark["provenance"],
        )
