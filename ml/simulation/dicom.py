"""Phantoms as DICOM: Digital Mammography X-Ray Image Storage - For Presentation, with their truth beside them.

Source: PS3.3 A.26 (the object), C.8.11.1 to C.8.11.7 (DX and mammography modules), PS3.16 CID 4013, 4014.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

from ml.pixels.header import FOR_PRESENTATION
from ml.simulation.model import Exam, ViewImage
from ml.simulation.streams import digest, stream

SCHEMA = "mammoloop.phantoms/1.0"
MANUFACTURER, MODEL = "MammoLoop", "Phantom"
_VERSION = "1.0"
ORIENTATION = {"R-CC": ["P", "L"], "L-CC": ["A", "R"], "R-MLO": ["P", "FL"], "L-MLO": ["A", "FR"]}
_VIEW_CODES = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
_IMPLEMENTATION = UID("2.25.98274651920384756192837465019283746501")


def uid_of(seed: int, *names: str) -> UID:
    """A legal UID of the 2.25 root (PS3.5 B.2) for these names: the 128 bits of a UUID made from their digest."""
    bits = int.from_bytes(digest(seed, *names)[:16], "big")
    bits = bits & ~(0xF << 76) | (0x8 << 76)  # version 8: made of what one likes
    bits = bits & ~(0x3 << 62) | (0x2 << 62)
    return UID(f"2.25.{bits}")


def patient_id_of(seed: int) -> str:
    return f"PHANTOM-{int.from_bytes(digest(seed, 'patient')[:4], 'big'):010d}"


def write_exam(exam: Exam, folder: Path, *, split: str | None = None, patient_key: str | None = None) -> list[Path]:
    """Write each view as `<view>.dcm` and the truth as `truth.json` into a folder; answers with the image files.

    patient_key replaces the Patient ID that the seed gives.
    """
    folder.mkdir(parents=True, exist_ok=True)
    patient = patient_key or patient_id_of(exam.seed)
    paths = []
    for number, (view, image) in enumerate(exam.images.items(), start=1):
        path = folder / f"{view.lower()}.dcm"
        dataset(exam, image, patient, number).save_as(path, enforce_file_format=True)
        paths.append(path)
    truth = {"schema": SCHEMA, "exams": [truth_of(exam, patient, split)]}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return paths


def truth_of(exam: Exam, patient: str, split: str | None) -> dict[str, Any]:
    """What is true of an exam; marks by SOP Instance UID, in stored pixels."""
    findings = [
        {
            "type": finding.type,
            "subtype": finding.subtype,
            "laterality": finding.laterality,
            "pathology": finding.pathology,
            "birads": finding.birads,
            "size_mm": finding.size_mm,
            "marks": {
                sop_uid_of(exam, view): [{"kind": mark.kind, "geometry": mark.geometry}]
                for view, mark in finding.marks.items()
            },
        }
        for finding in exam.findings
    ]
    uid = study_uid_of(exam)
    return {
        "study_instance_uid": uid,
        "patient_id": patient,
        "split": split,
        "density": exam.density,
        "findings": findings,
    }


def study_uid_of(exam: Exam) -> UID:
    return uid_of(exam.seed, "study", _identity(exam))


def sop_uid_of(exam: Exam, view: str) -> UID:
    """Of the pixels too: with other noise or distractors it is another object."""
    pixels = hashlib.sha256(exam.images[view].pixels.tobytes()).hexdigest()
    return uid_of(exam.seed, "instance", _identity(exam), view, pixels)


def _identity(exam: Exam) -> str:
    """What sets exams of one seed apart."""
    findings = ",".join(f"{f.type}/{f.subtype}/{f.laterality}/{f.size_mm}" for f in exam.findings)
    return f"{exam.density}|{exam.spacing_mm:g}|{findings}"


def dataset(exam: Exam, image: ViewImage, patient: str, number: int) -> Dataset:
    """One view as a whole file's data set."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(FOR_PRESENTATION)
    ds.file_meta.MediaStorageSOPInstanceUID = sop_uid_of(exam, image.view)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = _IMPLEMENTATION
    ds.file_meta.ImplementationVersionName = "MAMMOLOOP_1"
    for add in (_patient, _study, _equipment, _series, _image, _acquisition, _pixels):
        add(ds, exam, image)
    ds.PatientID = patient
    ds.PatientName = f"Phantom^{patient[-4:]}"
    ds.InstanceNumber = str(number)
    return ds


def _patient(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientBirthDate = ""
    ds.PatientSex = "F"
    ds.PatientAge = f"{exam.age_years:03d}Y"


def _study(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    generator = stream(exam.seed, "date")
    year, month, day = (int(generator.integers(*span)) for span in ((2018, 2026), (1, 13), (1, 29)))
    clock = f"{int(generator.integers(8, 18)):02d}{int(generator.integers(60)):02d}00"
    ds.StudyInstanceUID = study_uid_of(exam)
    for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, name, f"{year:04d}{month:02d}{day:02d}")
    for name in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(ds, name, clock)
    ds.ReferringPhysicianName = ""
    ds.AccessionNumber = ""
    ds.StudyID = str(exam.seed % 10**10)
    ds.StudyDescription = "Phantom mammography"


def _equipment(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = MODEL
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = _VERSION


def _series(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    ds.Modality = "MG"
    ds.SeriesInstanceUID = uid_of(exam.seed, "series", _identity(exam))
    ds.SeriesNumber = "1"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.AcquisitionContextSequence = Items([])


def _image(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    side, projection = image.view.split("-")
    ds.SOPClassUID = FOR_PRESENTATION
    ds.SOPInstanceUID = sop_uid_of(exam, image.view)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.ImageLaterality = side
    ds.ViewPosition = projection
    view = _code(*_VIEW_CODES[projection])
    view.ViewModifierCodeSequence = Items([])
    ds.ViewCodeSequence = Items([view])
    ds.AnatomicRegionSequence = Items([_code("76752008", "Breast")])
    ds.PatientOrientation = ORIENTATION[image.view]
    ds.OrganExposed = "BREAST"
    ds.BreastImplantPresent = "NO"
    ds.PartialView = "NO"
    ds.BurnedInAnnotation = "NO"
    ds.PositionerType = "MAMMOGRAPHIC"
    ds.PositionerPrimaryAngle = {"CC": "0", "R-MLO": "-45", "L-MLO": "45"}["CC" if projection == "CC" else image.view]
    ds.ImageComments = "Synthetic image: no patient was examined."


def _acquisition(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    spacing = [f"{exam.spacing_mm:g}"] * 2
    ds.ImagerPixelSpacing = spacing
    ds.EstimatedRadiographicMagnificationFactor = "1"
    ds.DistanceSourceToDetector = "650"
    ds.DistanceSourceToPatient = "650"
    ds.BodyPartThickness = f"{image.thickness_mm:.0f}"
    ds.CompressionForce = "100"
    ds.KVP = "29"
    ds.ExposureTime = "1000"
    ds.XRayTubeCurrent = "80"
    ds.Exposure = "80"
    ds.AnodeTargetMaterial = "TUNGSTEN"
    ds.FilterMaterial = "RHODIUM"
    ds.DetectorType = "DIRECT"
    ds.FieldOfViewShape = "RECTANGLE"
    ds.FieldOfViewDimensions = [str(round(size * exam.spacing_mm)) for size in reversed(image.pixels.shape)]
    ds.FieldOfViewOrigin = ["0", "0"]
    ds.FieldOfViewRotation = "0"
    ds.FieldOfViewHorizontalFlip = "NO"
    ds.DetectorElementPhysicalSize = spacing
    ds.DetectorElementSpacing = spacing


def _pixels(ds: Dataset, exam: Exam, image: ViewImage) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PresentationLUTShape = "IDENTITY"
    ds.Rows, ds.Columns = image.pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelIntensityRelationship = "LOG"
    ds.PixelIntensityRelationshipSign = -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = "1750", "2900"
    ds.WindowCenterWidthExplanation = "Standard"
    ds.VOILUTFunction = "LINEAR"
    ds.PixelData = image.pixels.astype("<u2").tobytes()


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
