"""A file's first frame exactly as stored: pinned decoders, no display step, no rescale.

Decoders are named per transfer syntax, because the same bytes must give the same pixels on every machine, whatever
plug-ins it has. JPEG Extended of 12 bits and HTJ2K go to imagecodecs: the common plug-ins refuse the first and are
slow on the second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ml.pixels.errors import PixelError

_JPEG = {"1.2.840.10008.1.2.4.50": "gdcm", "1.2.840.10008.1.2.4.57": "gdcm", "1.2.840.10008.1.2.4.70": "gdcm"}
_JPEG_LS = {"1.2.840.10008.1.2.4.80": "pyjpegls", "1.2.840.10008.1.2.4.81": "pyjpegls"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90": "pylibjpeg", "1.2.840.10008.1.2.4.91": "pylibjpeg"}
_RLE = {"1.2.840.10008.1.2.5": "pylibjpeg"}
_PLUGIN = {**_JPEG, **_JPEG_LS, **_JPEG_2000, **_RLE}
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_HTJ2K = frozenset({"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"})
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
READABLE = _NATIVE | set(_PLUGIN) | _HTJ2K | {_JPEG_EXTENDED}
"""Transfer syntaxes that can be decoded."""

_END_OF_STREAM = b"\xff\xd9"
"""JPEG's EOI, JPEG 2000's EOC: all four families end a frame with these two bytes."""
_TAIL = 64

PIXEL_ELEMENTS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def open_dataset(path: Path | str) -> Dataset:
    """Read a DICOM file whole.

    pydicom gives an *empty* data set, without an exception, for a file that ends in the middle of an element: so the
    header is read again without its pixels, and what it promised is compared.

    Raises PixelError: `not_dicom`; `pixel_data_truncated` where the header can be read and the rest is cut.
    """
    header: Dataset | None
    try:
        ds = dcmread(path)
        if "SOPInstanceUID" in ds and "SOPClassUID" in ds:
            return ds
        header = dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        raise PixelError("not_dicom", "the file does not begin as a DICOM file") from None
    except Exception as error:
        header = _header_or_none(path)
        if header is None:
            raise PixelError("not_dicom", "the file cannot be parsed", parser=type(error).__name__) from error
    if "SOPInstanceUID" in header or "Rows" in header:
        raise PixelError("pixel_data_truncated", "the header is whole, the pixel data are cut")
    raise PixelError("not_dicom", "the file names no instance")


def _header_or_none(path: Path | str) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True)
    except Exception:  # noqa: BLE001 - as above; the caller reports the first failure
        return None


def stored_values(ds: Dataset) -> npt.NDArray[Any]:
    """The first frame (H, W) as stored: unsigned or signed integers, or floats for float pixel data.

    Bits above High Bit (old overlays) are masked out, and a signed value keeps its sign.

    Raises PixelError: `no_pixel_data`, `multiframe_unsupported`, `syntax_unreadable`, `pixel_data_truncated`.
    """
    require_one_readable_frame(ds)
    values = _decoded(ds, str(ds.file_meta.TransferSyntaxUID))
    values = _one_channel(values, ds)
    if values.shape != (int(ds.Rows), int(ds.Columns)):
        raise PixelError("syntax_unreadable", "the frame has another size than the header says", shape=values.shape)
    return values if values.dtype.kind == "f" else _without_overlays(values, ds)


def require_one_readable_frame(ds: Dataset) -> None:
    """What the header alone can say against the pixels. Raises PixelError."""
    if not any(ds.get(name) for name in PIXEL_ELEMENTS) or not (ds.get("Rows") and ds.get("Columns")):
        raise PixelError("no_pixel_data", "there is no image in the file")
    if int(ds.get("NumberOfFrames") or 1) > 1:
        raise PixelError("multiframe_unsupported", "the file holds several frames", frames=int(ds.NumberOfFrames))
    syntax = str(getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ""))
    if syntax not in READABLE:
        raise PixelError("syntax_unreadable", "the compression is not known", transfer_syntax=UID(syntax).name)


def _decoded(ds: Dataset, syntax: str) -> npt.NDArray[Any]:
    if syntax in _NATIVE:
        return _native(ds, syntax)
    frame = _compressed_frame(ds, syntax)
    try:
        if syntax == _JPEG_EXTENDED:
            return np.asarray(imagecodecs.jpeg_decode(frame))
        if syntax in _HTJ2K:
            return np.asarray(imagecodecs.htj2k_decode(frame))
        values, _ = get_decoder(UID(syntax)).as_array(ds, index=0, raw=True, decoding_plugin=_PLUGIN[syntax])
        return values
    except Exception as error:
        name = UID(syntax).name
        raise PixelError("syntax_unreadable", "the decoder refuses the frame", transfer_syntax=name) from error


def _compressed_frame(ds: Dataset, syntax: str) -> bytes:
    try:
        frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    except Exception as error:
        raise PixelError("pixel_data_truncated", "the fragments of the frame are not whole") from error
    if syntax not in _RLE and _END_OF_STREAM not in frame[-_TAIL:]:
        raise PixelError("pixel_data_truncated", "the compressed frame has no end")
    return frame


def _native(ds: Dataset, syntax: str) -> npt.NDArray[Any]:
    for name, kind in (("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")):
        if ds.get(name):
            return _shaped(ds, ds[name].value, np.dtype(kind).newbyteorder(_order(syntax)))
    bits = int(ds.BitsAllocated)
    if bits not in (8, 16, 32):
        raise PixelError("syntax_unreadable", "the number of bits is not one that can be read", bits_allocated=bits)
    kind = "i" if int(ds.get("PixelRepresentation") or 0) else "u"
    return _shaped(ds, ds.PixelData, np.dtype(f"{kind}{bits // 8}").newbyteorder(_order(syntax)))


def _order(syntax: str) -> Literal["<", ">"]:
    return ">" if syntax == "1.2.840.10008.1.2.2" else "<"


def _shaped(ds: Dataset, content: bytes, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    samples = int(ds.get("SamplesPerPixel") or 1)
    count = int(ds.Rows) * int(ds.Columns) * samples
    if len(content) < count * dtype.itemsize:
        wanted = count * dtype.itemsize
        raise PixelError("pixel_data_truncated", "the frame is shorter than its header says", want=wanted,
                         have=len(content))  # fmt: skip
    values = np.frombuffer(content, dtype, count).astype(dtype.newbyteorder("="))
    if samples == 1:
        return values.reshape(int(ds.Rows), int(ds.Columns))
    if int(ds.get("PlanarConfiguration") or 0):
        return np.moveaxis(values.reshape(samples, int(ds.Rows), int(ds.Columns)), 0, -1)
    return values.reshape(int(ds.Rows), int(ds.Columns), samples)


def _one_channel(values: npt.NDArray[Any], ds: Dataset) -> npt.NDArray[Any]:
    """Grey values; three equal channels are one. Raises PixelError on colour."""
    photometric = str(ds.get("PhotometricInterpretation") or "")
    if values.ndim == 2 and photometric in ("MONOCHROME1", "MONOCHROME2", ""):
        return values
    if values.ndim == 3 and photometric == "RGB" and (values == values[..., :1]).all():
        return np.ascontiguousarray(values[..., 0])
    raise PixelError("syntax_unreadable", "the image is in colour", photometric=photometric)


def _without_overlays(values: npt.NDArray[Any], ds: Dataset) -> npt.NDArray[Any]:
    stored = int(ds.get("BitsStored") or values.dtype.itemsize * 8)
    high = int(ds.HighBit) if ds.get("HighBit") is not None else stored - 1
    width = values.dtype.itemsize * 8
    if stored >= width and high == stored - 1:
        return values
    shift = max(high - stored + 1, 0)
    bits = (values.view(f"u{values.dtype.itemsize}") >> shift) & ((1 << stored) - 1)
    if not int(ds.get("PixelRepresentation") or 0):
        return bits
    # Sign-extend: the top stored bit to the top of the word and back.
    left = width - stored
    return (bits << left).view(f"i{values.dtype.itemsize}") >> left
