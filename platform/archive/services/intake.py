"""The one door by which an image enters: looked at, freed of the person, stored, then catalogued."""

import io
import logging
import traceback
import warnings
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from django.db import OperationalError, transaction
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from archive import store
from archive.container import BROKEN, Header, read_header, read_whole
from archive.deidentify import Identity, age_years, deidentify, exam_label, keyed_uid, pseudonym, shift_of
from archive.errors import ItemFailed, NoPixelData, OtherPatient, PixelDataTruncated, SyntaxUnreadable
from archive.header import columns_of
from archive.models import Admission, Exam, Image, Ingest, IngestItem, ItemState, Patient
from archive.rules import require_mammogram
from archive.services.ingests import settle
from core.errors import MammoError
from ml.pixels.decode import stored_values
from ml.pixels.errors import PixelError

log = logging.getLogger("mammoloop.archive")

#: Identifies this software in the files it writes (0002,0012): a UUID made once.
_IMPLEMENTATION = UID("2.25.207486393918612405171843310128903141277")
_AS_PLAIN = {ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
_PIXEL_ERRORS: dict[str, type[MammoError]] = {"pixel_data_truncated": PixelDataTruncated, "no_pixel_data": NoPixelData}


@dataclass(frozen=True)
class Origin:
    """Where an image of a public set comes from. `patient` is the set's own id (`mini-mias:12`), `name` its file.

    Nobody is identified by them, so UIDs, name and number are kept as they are.
    """

    dataset: str
    patient: str
    number: int | None = None
    name: str = ""


def accept_dataset(
    source: Path | Dataset, *, ingest: Ingest, item: IngestItem, origin: Origin | None = None
) -> Image | None:
    """Take one instance in and say on its item how it ended; None where it was rejected.

    Never raises for what is wrong with a file: one bad file does not stop a batch. A second call for a settled item
    changes nothing. What another project holds already is accepted here as the same image.
    """
    if item.state != ItemState.WAITING:
        return item.image
    try:
        with warnings.catch_warnings(action="ignore"):  # the reader library's warnings quote what it read
            return _accept(source, ingest, item, origin)
    except MammoError as error:
        if error.transient:
            raise
        settle(item, ItemState.REJECTED, error=error)
    except (OSError, OperationalError):
        raise  # the disk or the database, not the file: it waits until they are back
    except Exception as error:  # noqa: BLE001 - a file can break a parser in ways nobody has seen
        # The error's message may quote the file: only its kind and place are kept.
        kind = type(error).__name__
        log.error("item failed", extra={"ingest": str(ingest.pk), "n": item.n, "kind": kind, "at": _place(error)})
        settle(item, ItemState.REJECTED, error=ItemFailed(kind=kind))
    return None


def _place(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames[-6:]]


def _accept(source: Path | Dataset, ingest: Ingest, item: IngestItem, origin: Origin | None) -> Image:
    dataset = source if isinstance(source, Dataset) else _opened(source)
    if isinstance(source, Dataset):
        require_mammogram(Header(dataset, has_pixels="PixelData" in dataset))
    _require_pixels(dataset)
    identity = _identity_of(dataset, origin)
    sop_uid = str(dataset.SOPInstanceUID)
    known = Image.objects.filter(sop_uid=sop_uid if identity.keep_uids else keyed_uid(sop_uid)).first()
    if known is not None:
        return _known(known, ingest, item, identity)
    return _new(dataset, ingest, item, identity, origin)


def _opened(path: Path) -> Dataset:
    """A file that is a mammogram by its header, read whole. Raises the first reason why not, in the promised order."""
    require_mammogram(read_header(path))
    return read_whole(path)


def _require_pixels(dataset: Dataset) -> None:
    """Raises SyntaxUnreadable, PixelDataTruncated: the frame must decode here, or nobody will ever see it."""
    try:
        values = stored_values(dataset)
    except PixelError as error:
        raise _PIXEL_ERRORS.get(error.code, SyntaxUnreadable)() from error
    except BROKEN as error:  # the header lacks what the pixels need, or contradicts itself
        raise SyntaxUnreadable(kind=type(error).__name__) from error
    if values.dtype.kind == "f" or values.dtype.itemsize > 2:
        raise SyntaxUnreadable("Pixels of more than 16 bits are not taken.", dtype=str(values.dtype))


def _identity_of(dataset: Dataset, origin: Origin | None) -> Identity:
    if origin is not None:
        return Identity(origin.patient, shift_of(origin.patient), keep_uids=True)
    number = str(dataset.get("PatientID") or "").strip()
    # Without a number each study is a person of its own: better two pseudonyms for one than one for two.
    text = number or f"study:{dataset.StudyInstanceUID}"
    name = pseudonym(text, str(dataset.get("IssuerOfPatientID") or ""))
    return Identity(name, shift_of(name))


def _known(image: Image, ingest: Ingest, item: IngestItem, identity: Identity) -> Image:
    """An instance that is here: a duplicate where this project has it, else its own image again."""
    _require_patient(image.exam, identity)
    held = Admission.objects.filter(project=ingest.project_id, exam=image.exam_id).exists()
    came = IngestItem.objects.filter(ingest__project=ingest.project_id, image=image, state=ItemState.ACCEPTED).exists()
    settle(item, ItemState.DUPLICATE if held or came else ItemState.ACCEPTED, image=image)
    return image


def _require_patient(exam: Exam, identity: Identity) -> None:
    # Exams are shared between projects by their study alone: who knows the study must know the patient too.
    if exam.patient.pseudonym != identity.pseudonym:
        raise OtherPatient()


def _new(dataset: Dataset, ingest: Ingest, item: IngestItem, identity: Identity, origin: Origin | None) -> Image:
    age = age_years(dataset)
    deidentify(dataset, identity)
    columns = columns_of(dataset)  # of the cleaned header: a name can be in any of its texts
    content = _as_file(dataset)
    sha256 = store.put(content)  # before the row: a row without its object could be shown to somebody
    with transaction.atomic():
        exam = _exam_of(dataset, identity, origin, age)
        image, made = Image.objects.get_or_create(
            sop_uid=str(dataset.SOPInstanceUID),
            defaults={
                **columns,
                "exam": exam,
                "series_uid": str(dataset.get("SeriesInstanceUID") or ""),
                "sha256": sha256,
                "bytes": len(content),
                "transfer_syntax": str(dataset.file_meta.TransferSyntaxUID),
                "source_name": origin.name[:255] if origin else "",
            },
        )
        # Another worker may have brought the same instance in between.
        settle(item, ItemState.ACCEPTED if made else ItemState.DUPLICATE, image=image)
    return image


def _exam_of(dataset: Dataset, identity: Identity, origin: Origin | None, age: int | None) -> Exam:
    patient, _ = Patient.objects.get_or_create(
        pseudonym=identity.pseudonym,
        defaults={"dataset": origin.dataset, "number": origin.number} if origin else {},
    )
    exam, _ = Exam.objects.select_related("patient").get_or_create(
        study_uid=str(dataset.StudyInstanceUID),
        defaults={
            "patient": patient,
            "date": _date(str(dataset.get("StudyDate") or "")),
            "age_years": age,
            "label": _label(str(dataset.StudyInstanceUID), origin),
            "source": f"dataset:{origin.dataset}" if origin else "",
        },
    )
    _require_patient(exam, identity)
    return exam


def _label(study_uid: str, origin: Origin | None) -> str:
    if origin is not None and origin.number is not None:
        return f"{origin.dataset}-{origin.number:03d}"[:32]
    return exam_label(study_uid)


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, in no time zone
    except ValueError:
        return None


# --- the file that is stored ------------------------------------------------------------------------------------
def _as_file(dataset: Dataset) -> bytes:
    """A de-identified dataset as a DICOM file; the same dataset gives the same bytes.

    The preamble and the old meta header are not taken over: both can hold text. Uncompressed pixels are written in
    the default form, and only as many as the header names, so that nothing hides behind them.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == ExplicitVRBigEndian:
        _swap_words(dataset)
    if syntax in _AS_PLAIN:
        syntax = ExplicitVRLittleEndian
    if not UID(syntax).is_compressed:
        _cut_to_size(dataset)
    dataset.file_meta = _meta(dataset, syntax)
    dataset.preamble = None
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def _meta(dataset: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "MAMMOLOOP_1"
    return meta


def _swap_words(dataset: Dataset) -> None:
    for element in dataset.iterall():
        if element.VR == "OW" and element.value:
            element.value = np.frombuffer(element.value, dtype=">u2").astype("<u2").tobytes()


def _cut_to_size(dataset: Dataset) -> None:
    size = dataset.Rows * dataset.Columns * int(dataset.get("SamplesPerPixel") or 1) * dataset.BitsAllocated // 8
    content = bytes(dataset.PixelData[:size])
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
