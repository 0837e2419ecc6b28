"""Rows of QIDO-RS answers and headers, as DICOM JSON. Pure but for the derived file of a header."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from archive import derive
from archive.models import Exam, Image

_ADDRESS = "/dicomweb/studies/{study}"


def study_row(exam: Exam) -> dict[str, Any]:
    """One exam. Dates are moved, the name is the pseudonym."""
    images = list(exam.images.all())
    row = Dataset()
    row.StudyInstanceUID = exam.study_uid
    row.PatientID = row.PatientName = exam.patient.pseudonym
    row.StudyDate = exam.date.strftime("%Y%m%d") if exam.date else ""
    row.ModalitiesInStudy = ["MG"]
    row.NumberOfStudyRelatedSeries = len({image.series_uid for image in images})
    row.NumberOfStudyRelatedInstances = len(images)
    row.RetrieveURL = _ADDRESS.format(study=exam.study_uid)
    return _json(row)


def series_row(images: Sequence[Image]) -> dict[str, Any]:
    """One series, from its images."""
    first = images[0]
    row = Dataset()
    row.StudyInstanceUID, row.SeriesInstanceUID, row.Modality = first.exam.study_uid, first.series_uid, "MG"
    row.NumberOfSeriesRelatedInstances = len(images)
    row.RetrieveURL = _ADDRESS.format(study=first.exam.study_uid) + f"/series/{first.series_uid}"
    return _json(row)


def instance_row(image: Image) -> dict[str, Any]:
    """One image."""
    row = Dataset()
    row.SOPClassUID, row.SOPInstanceUID = image.sop_class, image.sop_uid
    row.StudyInstanceUID, row.SeriesInstanceUID, row.Modality = image.exam.study_uid, image.series_uid, "MG"
    row.Rows, row.Columns, row.NumberOfFrames = image.rows, image.cols, 1
    row.ImageLaterality, row.ViewPosition = image.laterality, image.view
    address = _ADDRESS.format(study=image.exam.study_uid)
    row.RetrieveURL = f"{address}/series/{image.series_uid}/instances/{image.sop_uid}"
    return _json(row)


def metadata(image: Image) -> dict[str, Any]:
    """The header of a prepared image."""
    document: dict[str, Any] = json.loads(derive.file_of(image, derive.METADATA).read_bytes())
    return document


def tag_of(images: Sequence[Image]) -> str:
    """A tag for several images together."""
    return hashlib.sha256("".join(image.sha256 for image in images).encode()).hexdigest()


def _json(row: Dataset) -> dict[str, Any]:
    document: dict[str, Any] = row.to_json_dict()
    return document
