"""From exams to manifest rows: what the learner sees of a snapshot, and of exams that nobody has read yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ml.runs.manifest import Density, DensityReading, Finding, ManifestRow, Mark, density_to_ml, patient_or_image

_BANDS = ((40, "<40"), (50, "40-49"), (60, "50-59"), (70, "60-69"))
_VIEWS = frozenset({"CC", "MLO", "ML", "LM", "XCCL", "SPOT", "MAG"})
_PRESENTATIONS = frozenset({"for_processing", "for_presentation", "film"})
_SPACING_SOURCES = frozenset({"imager", "pixel", "dataset", "user"})


def stored_path(sha256: str) -> str:
    """Where the store keeps an object, relative to its root."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def labelled_rows(items: Iterable[Mapping[str, Any]]) -> list[ManifestRow]:
    """One row for each image of a snapshot's items, of one kind of pixels only."""
    return of_one_kind([row for item in items for row in _rows_of(item)])


def pool_rows(exams: Iterable[Mapping[str, Any]]) -> list[ManifestRow]:
    """One row for each image of exams without labels: `{exam, patient, images}` as in a snapshot's item."""
    rows = [_row(exam, image, split="pool") for exam in exams for image in exam["images"]]
    return of_one_kind(rows)


def of_one_kind(rows: list[ManifestRow]) -> list[ManifestRow]:
    """Presentation and processing pixels are never mixed: processing ones go, unless there is nothing else."""
    shown = [row for row in rows if row.presentation != "for_processing"]
    return shown or rows


def _rows_of(item: Mapping[str, Any]) -> Iterator[ManifestRow]:
    unmarked = [finding for finding in item["findings"] if not finding["marks"]]
    for image in item["images"]:
        side = image["laterality"]
        hidden = [f for f in unmarked if not (f["laterality"] and side) or f["laterality"] == side]
        findings = [
            _finding(finding, [mark for mark in finding["marks"] if mark["image_id"] == image["id"]])
            for finding in item["findings"]
        ]
        here = [finding for finding in findings if finding.marks]
        yield replace(
            _row(item, image, split=item["split"]),
            density=_density(item),
            findings=tuple(here + [_finding(finding, []) for finding in hidden]),
            # A finding that nobody marked makes the image abnormal somewhere: it may not count as normal anywhere.
            complete=not hidden,
        )


def _row(exam: Mapping[str, Any], image: Mapping[str, Any], *, split: Any) -> ManifestRow:
    patient, flags = patient_or_image(exam["patient"]["id"], image["id"])
    spacing, source = image["spacing_mm"], image["spacing_source"]
    view = image["view"]
    return ManifestRow(
        image_id=image["id"],
        exam_id=exam["exam"]["id"],
        patient_id=patient,
        laterality=image["laterality"],
        view=None if view is None else view if view in _VIEWS else "OTHER",
        rows=image["rows"],
        cols=image["cols"],
        pixel_path=stored_path(image["sha256"]),
        pixel_format="dicom",
        sha256=image["sha256"],
        photometric=image["photometric"],
        presentation=image["presentation"] if image["presentation"] in _PRESENTATIONS else "unknown",
        bits_stored=image["bits_stored"],
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        spacing_source=source if source in _SPACING_SOURCES else "unknown",
        dataset=exam["exam"]["source"].removeprefix("dataset:") or None,
        manufacturer=image["manufacturer"],
        model=image["model"],
        age_band=age_band(exam["exam"]["age_years"]),
        split=split,
        flags=flags,
    )


def age_band(years: int | None) -> Any:
    """The band of an age; None where it is not known."""
    if years is None:
        return None
    return next((band for limit, band in _BANDS if years < limit), ">=70")


def _density(item: Mapping[str, Any]) -> Density | None:
    label = density_to_ml(item["density"]["label"])
    if label is None:
        return None
    scale, _, source_label = (item["density"]["source"] or "birads:").partition(":")
    reader = item["reading"]["reader"] or item["reading"]["source"]
    return Density(
        label=label,
        scale="tissue3" if scale == "tissue3" else "birads",
        source_label=source_label or None,
        readers=(DensityReading(reader=reader, label=label),),
    )


def _finding(finding: Mapping[str, Any], marks: list[Mapping[str, Any]]) -> Finding:
    return Finding(
        finding_id=finding["id"],
        type=finding["type"],
        subtype=finding.get("subtype"),
        pathology=finding.get("pathology") or "unknown",
        birads=finding.get("birads"),
        difficulty=finding.get("difficulty"),
        marks=tuple(
            Mark(
                mark_id=mark["id"],
                kind=mark["kind"],
                geometry=mark["geometry"],
                provenance=mark.get("provenance", "human"),
            )
            for mark in marks
        ),
    )
