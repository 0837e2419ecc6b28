"""Which rows of a manifest a run uses: kinds of images that are never mixed, and less than all where asked."""

import hashlib
from collections.abc import Callable, Sequence

from ml.runs.manifest import ManifestRow
from ml.runs.request import Data

Warn = Callable[[str, str, str | None], None]


def usable_rows(rows: Sequence[ManifestRow], warn: Warn, kinds: Sequence[str]) -> list[ManifestRow]:
    """Rows of one kind of pixels.

    Images of other kinds than the run asks for are not read. For Processing pixels are another quantity than For
    Presentation ones and are never mixed with them: the kind of the training images decides, and where both are
    there, it is For Presentation.
    """
    found = [row for row in rows if row.image_kind in kinds]
    _tell(warn, "image_kind_left_out", f"only {' and '.join(kinds)} images are read", _rest(rows, found))
    learned = [row for row in found if row.split == "train"] or found
    raw = bool(learned) and all(row.presentation == "for_processing" for row in learned)
    kept = [row for row in found if (row.presentation == "for_processing") == raw]
    _tell(warn, "presentation_left_out", "For Processing and For Presentation are never mixed", _rest(found, kept))
    return kept


def _rest(rows: Sequence[ManifestRow], kept: Sequence[ManifestRow]) -> list[ManifestRow]:
    ids = {id(row) for row in kept}
    return [row for row in rows if id(row) not in ids]


def _tell(warn: Warn, code: str, text: str, left_out: Sequence[ManifestRow]) -> None:
    if left_out:
        warn(code, f"{text}: {len(left_out)} left out", left_out[0].image_id)


def reduced(rows: Sequence[ManifestRow], data: Data, seed: int) -> list[ManifestRow]:
    """All rows but those of training patients beyond `train_fraction` or `max_images`; patients in keyed order."""
    if data.train_fraction == 1.0 and data.max_images is None:
        return list(rows)
    patients = sorted({row.patient_id for row in rows if row.split == "train"}, key=lambda p: _key(seed, p))
    wanted = patients[: max(1, round(data.train_fraction * len(patients)))]
    count = 0
    kept: set[str] = set()
    for patient in wanted:
        count += sum(row.patient_id == patient and row.split == "train" for row in rows)
        if data.max_images is not None and count > data.max_images and kept:
            break
        kept.add(patient)
    return [row for row in rows if row.split != "train" or row.patient_id in kept]


def _key(seed: int, patient: str) -> str:
    return hashlib.sha256(f"{seed}|{patient}".encode()).hexdigest()
