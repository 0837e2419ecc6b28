"""Phantoms: DICOM files with their truth beside them (`truth.json`), which also carries their split."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from annotations.lexicon import empty_document
from archive.container import read_header
from archive.models import Exam, Image, Ingest
from core.errors import MammoError
from exchange.errors import TruthUnreadable
from exchange.importers.documents import add_finding
from exchange.importers.intake import Arrival, DocumentOf, take_in
from jobs.handlers import JobContext

NAME = "phantoms"
SCHEMA = "mammoloop.phantoms/1."
_SPLITS = frozenset({"train", "val", "test", "audit"})
#: From harmless to worst, so that a breast has the category of its worst finding.
_BIRADS = ("1", "2", "3", "0", "4", "4A", "4B", "4C", "5", "6")
_KEPT = ("type", "subtype", "pathology", "laterality")
Truth = dict[str, Any]


def recognise(folder: Path) -> bool:
    """Whether the folder holds phantoms: a `truth.json` of ours, at any depth."""
    try:
        return bool(_truths(folder))
    except TruthUnreadable:
        return False


def run(ctx: JobContext, ingest: Ingest, folder: Path) -> dict[str, Any]:
    """Take in the phantoms with their split, and their truth as reference readings. Raises TruthUnreadable."""
    truths = {truth["study_instance_uid"]: truth for truth in _truths(folder)}
    if not truths:
        raise TruthUnreadable()
    arrivals = list(_arrivals(folder, truths))
    splits = _splits(truths.values())
    return take_in(ctx, ingest, folder, arrivals, dataset=NAME, document_of=_documents(truths), splits=splits)


def _truths(folder: Path) -> list[Truth]:
    """The exams of every `truth.json` in the folder. Raises TruthUnreadable on one that is not ours."""
    found: list[Truth] = []
    for path in sorted(folder.rglob("truth.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            schema, exams = str(document["schema"]), list(document["exams"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TruthUnreadable() from error
        if not schema.startswith(SCHEMA):
            raise TruthUnreadable(schema=schema[:80])
        found += exams
    return found


def _arrivals(folder: Path, truths: dict[str, Truth]) -> Iterable[Arrival]:
    for path in sorted(folder.rglob("*.dcm")):
        truth = truths.get(_study_of(path), {})
        yield Arrival(path=path, patient=str(truth.get("patient_id") or "phantom"), tags=_tags(truth))


def _study_of(path: Path) -> str:
    """The study of a file; none for what is no DICOM, which the archive's door will say."""
    try:
        return str(read_header(path).dataset.get("StudyInstanceUID") or "")
    except MammoError:
        return ""


def _tags(truth: Truth) -> frozenset[str]:
    findings = {f"finding:{finding['type']}" for finding in truth.get("findings", [])}
    return frozenset(findings | {f"density:{truth['density']}"}) if truth else frozenset()


def _splits(truths: Iterable[Truth]) -> dict[str, str]:
    """Patient to split. Raises TruthUnreadable on a split that nobody knows."""
    splits = {truth["patient_id"]: truth["split"] for truth in truths if truth.get("split")}
    unknown = set(splits.values()) - _SPLITS
    if unknown:
        raise TruthUnreadable(splits=sorted(unknown))
    return splits


def _documents(truths: dict[str, Truth]) -> DocumentOf:
    def document_of(exam: Exam, images: Sequence[tuple[str, Image]]) -> dict[str, Any] | None:
        """None for an exam that the truth does not name."""
        truth = truths.get(exam.study_uid)
        return None if truth is None else document_from(truth, {image.sop_uid: str(image.pk) for _, image in images})

    return document_of


def document_from(truth: Truth, image_ids: dict[str, str]) -> dict[str, Any]:
    """The reading of one exam from its truth; `image_ids` maps SOP Instance UIDs to our images."""
    document = empty_document()
    for side, breast in document["breasts"].items():
        said = [f.get("birads") or "4" for f in truth["findings"] if f.get("laterality") == side]
        breast |= {"density": truth["density"], "birads": max(said, default="1", key=_BIRADS.index)}
    for order, finding in enumerate(truth["findings"], start=1):
        kept = {key: finding[key] for key in _KEPT if finding.get(key) not in (None, "unknown")}
        kept |= {"birads": finding.get("birads") or "4", "order": order}
        marks = [(image_ids[uid], mark) for uid, mark in _marks(finding) if uid in image_ids]
        add_finding(document, f"{NAME}|{truth['study_instance_uid']}|{order}", kept, marks)
    return document


def _marks(finding: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    return [(uid, mark) for uid, marks in sorted(finding["marks"].items()) for mark in marks]
