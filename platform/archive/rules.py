"""Which files are mammograms that this archive takes, and who trains and who tests. Pure: no database."""

import hashlib
from collections.abc import Iterable, Mapping, Set

from pydicom.dataset import Dataset

from archive.container import Header
from archive.errors import (
    IdentityMissing,
    ImageTooLarge,
    MultiframeUnsupported,
    NoPixelData,
    NotMammography,
    TooSmall,
)
from archive.header import SOP_CLASSES
from archive.models import Split
from core.errors import catalogue, sentence_of
from core.words import counted
from ml.datasets.splits import STRATIFY_FROM, keyed_split, stratified

SMALLEST_SIDE = 64
#: Four times the largest detector there is: what says more is broken, or made to fill the memory.
MOST_PIXELS = 200_000_000


def require_mammogram(header: Header) -> None:
    """Whether a header is one of a mammogram that can be taken; the first check that fails says why not.

    Raises NotMammography, NoPixelData, MultiframeUnsupported, IdentityMissing, TooSmall, ImageTooLarge. What comes
    before (NotDicom, a cut pixel element) is `container`'s; what comes after (the pixels themselves) is `ingest`'s.
    """
    dataset = header.dataset
    if dataset.get("Modality") != "MG":
        raise NotMammography(modality=_short(dataset.get("Modality")))
    if not header.has_pixels:
        raise NoPixelData()
    if frames_of(dataset) > 1:
        raise MultiframeUnsupported(frames=frames_of(dataset))
    if str(dataset.get("SOPClassUID")) not in SOP_CLASSES:
        raise NotMammography(sop_class=_short(dataset.get("SOPClassUID")))
    rows, cols = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if min(rows, cols) < SMALLEST_SIDE:
        raise TooSmall(rows=rows, cols=cols)
    if rows * cols > MOST_PIXELS:
        raise ImageTooLarge(rows=rows, cols=cols)
    if not dataset.get("SOPInstanceUID") or not dataset.get("StudyInstanceUID"):
        raise IdentityMissing()


def frames_of(dataset: Dataset) -> int:
    """Number of Frames (0028,0008); what is missing or odd is one."""
    try:
        return int(dataset.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 1


def _short(value: object) -> str:
    """A header's value for an error's detail: only what a code can look like, so that no name slips through."""
    text = str(value or "")
    return text if len(text) <= 64 and text.replace(".", "").replace("_", "").isalnum() else "other"


# --- splits -----------------------------------------------------------------------------------------------------
def drawn_splits(
    *,
    seed: int,
    patients: Iterable[str],
    official: Mapping[str, str],
    tags: Mapping[str, Set[str]] | None,
    audit_share: float = 0.0,
) -> dict[str, Split]:
    """The split of each new patient of an import, drawn once.

    An official split wins. Of the others a share is set aside as audit; a labelled import (`tags` is given: the
    labels of each patient) of at least STRATIFY_FROM new patients is stratified; else each patient is drawn by key.
    Patients are named by pseudonym; a public set's by its own id.
    """
    drawn = {patient: Split(official[patient]) for patient in patients if patient in official}
    left = sorted(set(patients) - drawn.keys())
    audited = {patient for patient in left if _share("audit", seed, patient) < audit_share}
    drawn |= dict.fromkeys(audited, Split.AUDIT)
    left = [patient for patient in left if patient not in audited]
    if tags is not None and len(left) >= STRATIFY_FROM:
        by_labels = stratified({patient: tags.get(patient, frozenset()) for patient in left}, seed=seed)
        return drawn | {patient: Split(split) for patient, split in by_labels.items()}
    return drawn | {patient: Split(keyed_split(seed, patient)) for patient in left}


def _share(purpose: str, seed: int, patient: str) -> float:
    return int.from_bytes(hashlib.sha256(f"{purpose}|{seed}|{patient}".encode()).digest()[:8]) / 2**64


# --- words and addresses ----------------------------------------------------------------------------------------
def meaning_of(code: str) -> dict[str, str]:
    """What a code of a rejected item means and what to do about it; empty for no code."""
    error = catalogue().get(code)
    return {"sentence": sentence_of(error), "cure": error.cure} if error else {"sentence": "", "cure": ""}


def frame_address(study: str, series: str, sop: str) -> str:
    """Where a viewer gets an image's only frame (WADO-RS, PS3.18 10.4)."""
    return f"/dicomweb/studies/{study}/series/{series}/instances/{sop}/frames/1"


def conclusion_of(counts: Mapping[str, int], *, exams: int) -> str:
    """What an import came to, in a sentence or two, from how many of its files ended in which way."""
    first = f"Took in {counted(counts.get('accepted', 0), 'image')} of {counted(exams, 'exam')}."
    rest = {"duplicate": "here already", "rejected": "rejected", "used": "read as labels"}
    parts = [f"{counts[state]:,} {words}" for state, words in rest.items() if counts.get(state)]
    return f"{first} Files besides: {', '.join(parts)}." if parts else first
