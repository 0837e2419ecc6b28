"""The smallest mammograms that are valid, and deliveries of them."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    generate_uid,
)

from accounts.models import Project
from archive import queries, services
from archive.models import Ingest, IngestItem, ItemState
from jobs.testing import run_queued

PRESENTATION = DigitalMammographyXRayImageStorageForPresentation
PROCESSING = DigitalMammographyXRayImageStorageForProcessing
VIEWS = {"CC": "399162004", "MLO": "399368009"}


def breast(rows: int = 96, cols: int = 80, *, bits: int = 12, seed: int = 0) -> np.ndarray:
    """Something with an edge and a texture, uint16 (rows, cols)."""
    noise = np.random.default_rng(seed).integers(0, 2 ** (bits - 3), (rows, cols))
    inside = np.arange(cols)[None, :] < cols * 0.7 * np.sin(np.linspace(0.1, 3.0, rows))[:, None]
    return (inside * 2 ** (bits - 1) + noise).astype(np.uint16)


def a_mammogram(
    *, study: str | None = None, patient: str = "HOSP-4711", laterality: str = "R", view: str = "CC",
    pixels: Any = None, syntax: str = ExplicitVRLittleEndian, **said: Any,
) -> Dataset:  # fmt: skip
    """A valid For Presentation image; `said` sets or, with None, removes attributes."""
    pixels = breast() if pixels is None else pixels
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = PRESENTATION, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study or generate_uid(), generate_uid()
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = patient, "Doe^Jane", "19610203", "F"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20230405", "101112", "ACC-99812", "S-1"
    ds.ReferringPhysicianName, ds.Modality, ds.PresentationIntentType = "Roe^Richard", "MG", "FOR PRESENTATION"
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "ACME", "Mammo 3000", "SN-77"
    ds.ImageLaterality, ds.ViewPosition = laterality, view
    ds.PatientOrientation = ["P", "L" if view == "CC" else "F"]
    ds.ViewCodeSequence = Sequence([a_code(VIEWS.get(view, "000"), "SCT", view)])
    ds.ImagerPixelSpacing, ds.EstimatedRadiographicMagnificationFactor = [0.07, 0.07], 1.0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    bits = pixels.dtype.itemsize * 8
    stored = 8 if bits == 8 else 12
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, stored, stored - 1, 0
    ds.WindowCenter, ds.WindowWidth = [2048, 1500], [4096, 900]
    ds.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    ds.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(ExplicitVRLittleEndian)
    for name, value in said.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    return written_in(ds, pixels, syntax)


def written_in(ds: Dataset, pixels: np.ndarray, syntax: str) -> Dataset:
    """The dataset with its pixels in another transfer syntax."""
    uid = UID(syntax)
    encoders = {
        "1.2.840.10008.1.2.4.201": lambda: imagecodecs.htj2k_encode(pixels, reversible=True),
        "1.2.840.10008.1.2.4.202": lambda: imagecodecs.htj2k_encode(pixels, reversible=True, tlm=True),
        "1.2.840.10008.1.2.4.70": lambda: imagecodecs.ljpeg_encode(pixels, bitspersample=12),
        "1.2.840.10008.1.2.4.57": lambda: imagecodecs.ljpeg_encode(pixels, bitspersample=12),
        "1.2.840.10008.1.2.4.51": lambda: imagecodecs.jpeg_encode(pixels, level=98, bitspersample=12),
    }
    if syntax in encoders:
        ds.PixelData = encapsulate([bytes(encoders[syntax]())])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = uid
    elif uid.is_compressed and not uid.is_deflated:
        ds.compress(uid, arr=pixels, generate_instance_uid=False)
    elif uid == "1.2.840.10008.1.2.2":
        ds.PixelData = pixels.astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = uid
    else:
        ds.file_meta.TransferSyntaxUID = uid
    return ds


def a_code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def file_of(ds: Dataset) -> bytes:
    """A dataset as the bytes of a DICOM file."""
    buffer = io.BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    dcmwrite(
        buffer, ds, enforce_file_format=True, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian
    )
    return buffer.getvalue()


def a_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def delivered(project: Project, files: Iterable[bytes | Dataset | Path], *, names: Iterable[str] = ()) -> Ingest:
    """An ingest of these files, parsed to its end, images prepared."""
    ingest = services.create_ingest(project, by=None)
    given = list(names)
    for number, file in enumerate(files):
        content = file if isinstance(file, bytes) else file.read_bytes() if isinstance(file, Path) else file_of(file)
        name = given[number] if number < len(given) else file.name if isinstance(file, Path) else ""
        services.receive_file(ingest, name, [content])
    services.close_ingest(ingest, by=None)
    run_queued()
    ingest.refresh_from_db()
    return ingest


def outcomes(ingest: Ingest) -> list[str]:
    """How each item ended, in order: `accepted`, or the code of its rejection."""
    return [item.code or item.state for item in ingest.items.exclude(state=ItemState.UNPACKED).order_by("n")]


def the_item(ingest: Ingest) -> IngestItem:
    return ingest.items.get()


def counts(ingest: Ingest) -> dict[str, int]:
    return {state: count for state, count in queries.counts_of(ingest).items() if count}
