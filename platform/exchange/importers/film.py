"""A digitised film as a DICOM Digital Mammography image: the stored pixels are the file's, never flipped.

Source: PS3.3 A.26 and C.8.11 (Digital Mammography X-Ray Image IOD), CID 4014 (views), PS3.5 B.2 (UIDs of UUIDs).
"""

import hashlib
import uuid
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

_VIEWS = {"MLO": ("399368009", "medio-lateral oblique"), "CC": ("399162004", "cranio-caudal")}


@dataclass(frozen=True)
class Film:
    """One digitised film. `spacing_mm` is row, column; `orientation` is DICOM Patient Orientation (0020,0020)."""

    dataset: str
    name: str
    patient: str
    laterality: str
    view: str
    orientation: tuple[str, str]
    spacing_mm: tuple[float, float]
    calibration: str
    manufacturer: str
    model: str


def uid_of(*parts: str) -> str:
    """A legal UID that the same parts always give: 2.25. and a UUID made of their SHA-256."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def wrap(film: Film, pixels: "np.ndarray") -> Dataset:
    """The film as a DICOM data set, uncompressed. `pixels` is uint8 or uint16 of shape (rows, cols).

    The SOP Instance UID comes from the set, the film's name and its pixels, so the same film in another file format
    is the same instance, and other pixels under the same name are another one.
    """
    assert pixels.dtype in (np.uint8, np.uint16) and pixels.ndim == 2
    digest = hashlib.sha256(
        f"{pixels.shape}|{pixels.dtype}|".encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()
    ds = Dataset()
    _identify(ds, film, digest)
    _describe(ds, film)
    _picture(ds, film, pixels)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _identify(ds: Dataset, film: Film, digest: str) -> None:
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = uid_of(film.dataset, film.name, digest)
    ds.StudyInstanceUID = uid_of(film.dataset, film.patient, "study")
    ds.SeriesInstanceUID = uid_of(film.dataset, film.name, digest, "series")
    ds.PatientID = film.patient
    ds.PatientName = film.patient.replace(":", "^")
    ds.PatientBirthDate = ""
    ds.PatientSex = "F"
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyID = ""
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.Modality = "MG"


def _describe(ds: Dataset, film: Film) -> None:
    ds.Manufacturer, ds.ManufacturerModelName = film.manufacturer, film.model
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageType = ["DERIVED", "PRIMARY", ""]
    ds.ImageLaterality = film.laterality
    ds.ViewPosition = film.view
    code, meaning = _VIEWS[film.view]
    ds.ViewCodeSequence = Sequence([_code(code, "SCT", meaning)])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence()
    ds.PatientOrientation = list(film.orientation)
    ds.BodyPartExamined, ds.OrganExposed = "BREAST", "BREAST"
    ds.AnatomicRegionSequence = Sequence([_code("76752008", "SCT", "Breast")])
    ds.AcquisitionContextSequence = Sequence()
    ds.DetectorType = "FILM"
    ds.PositionerType = "NONE"
    ds.BreastImplantPresent = "NO"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"


def _picture(ds: Dataset, film: Film, pixels: "np.ndarray") -> None:
    bits = pixels.dtype.itemsize * 8
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.WindowCenter, ds.WindowWidth = 2 ** (bits - 1), 2**bits
    ds.PixelSpacing = list(film.spacing_mm)
    ds.ImagerPixelSpacing = list(film.spacing_mm)  # the film itself is the receptor plane
    ds.PixelSpacingCalibrationType = "FIDUCIAL"
    ds.PixelSpacingCalibrationDescription = film.calibration
    content = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
