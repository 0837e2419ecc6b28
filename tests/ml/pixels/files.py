"""The smallest files and pictures that the tests of `ml.pixels` need."""

from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"
PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
HTJ2K = "1.2.840.10008.1.2.4.201"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"


def dicom_of(values: npt.NDArray[Any], *, bits: int = 12, **elements: Any) -> Dataset:
    """A mammogram in memory, uncompressed, with header elements by keyword."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = PRESENTATION, generate_uid(entropy_srcs=["pixels"]), "MG"
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = values.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = values.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    content = values.tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OW" if values.dtype.itemsize > 1 else "OB"
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def wrapped(ds: Dataset, syntax: str, frame: bytes) -> Dataset:
    """The data set with one compressed frame."""
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return ds


def htj2k_of(values: npt.NDArray[Any], **options: Any) -> Dataset:
    """A mammogram in HTJ2K, which pydicom can read and not write."""
    return wrapped(dicom_of(values, **options), HTJ2K, bytes(imagecodecs.htj2k_encode(values, reversible=True)))


def a_breast(rows: int = 300, cols: int = 220, *, side: str = "left") -> npt.NDArray[np.bool_]:
    """Half an ellipse at the left or right border, with air around it."""
    y, x = np.mgrid[:rows, :cols]
    x = cols - 1 - x if side == "right" else x
    return (x / (0.7 * cols)) ** 2 + ((y - rows / 2) / (0.42 * rows)) ** 2 <= 1
