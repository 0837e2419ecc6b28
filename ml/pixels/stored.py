"""A file's first frame exactly as stored: pinned decoders, no display step, no rescale.

Decoders are named per transfer syntax, because the same bytes must give the same pixels on every machine, whatever
plug-ins it has. JPEG Extended of 12 bits goes to imagecodecs, because the common plug-ins refuse it. HTJ2K does not:
imagecodecs is twice as fast there, but gives a picture of what was left in memory for a damaged stream, and no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from ml.pixels.header import element, text, whole

_JPEG = {"1.2.840.10008.1.2.4.50": "gdcm", "1.2.840.10008.1.2.4.57": "gdcm", "1.2.840.10008.1.2.4.70": "gdcm"}
_JPEG_LS = {"1.2.840.10008.1.2.4.80": "pyjpegls", "1.2.840.10008.1.2.4.81": "pyjpegls"}
_JPEG_2000 = {"1.2.840.10008.1.2.4.90": "pylibjpeg", "1.2.840.10008.1.2.4.91": "pylibjpeg"}
# The compiled RLE decoder ends the process on damaged data: its panic is no Exception. pydicom's own raises one.
_RLE = {"1.2.840.10008.1.2.5": "pydicom"}
_HTJ2K = dict.fromkeys(("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"), "pylibjpeg")
_PLUGIN = {**_JPEG, **_JPEG_LS, **_JPEG_2000, **_HTJ2K, **_RLE}
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", _BIG_ENDIAN})
READABLE = _NATIVE | set(_PLUGIN) | {_JPEG_EXTENDED}
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


@dataclass(frozen=True)
class _Layout:
    """How the values lie in the bytes."""

    rows: int
    cols: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool
    photometric: str
    syntax: str


def stored_values(ds: Dataset) -> npt.NDArray[Any]:
    """The first frame (H, W) as stored: unsigned or signed integers, or floats for float pixel data.

    Bits above High Bit (old overlays) are masked out, and a signed value keeps its sign.

    Raises PixelError: `no_pixel_data`, `multiframe_unsupported`, `syntax_unreadable`, `pixel_data_truncated`.
    """
    layout = _layout(ds)
    values = _native(ds, layout) if layout.syntax in _NATIVE else _decompressed(ds, layout)
    values = _one_channel(values, layout)
    if values.shape != (layout.rows, layout.cols):
        raise PixelError("syntax_unreadable", "the frame has another size than the header says", shape=values.shape)
    return values if values.dtype.kind == "f" else _without_overlays(values, layout)


def _layout(ds: Dataset) -> _Layout:
    """What the header alone says of the pixels. Raises PixelError where that rules them out."""
    rows, cols = whole(element(ds, "Rows")) or 0, whole(element(ds, "Columns")) or 0
    if not any(element(ds, name) for name in PIXEL_ELEMENTS) or rows <= 0 or cols <= 0:
        raise PixelError("no_pixel_data", "there is no image in the file")
    frames = whole(element(ds, "NumberOfFrames")) or 1
    if frames > 1:
        raise PixelError("multiframe_unsupported", "the file holds several frames", frames=frames)
    syntax = str(getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ""))
    if syntax not in READABLE:
        raise PixelError("syntax_unreadable", "the compression is not known", transfer_syntax=UID(syntax).name)
    allocated = whole(element(ds, "BitsAllocated")) or 0
    stored = whole(element(ds, "BitsStored")) or allocated
    high = whole(element(ds, "HighBit"))
    high = stored - 1 if high is None else high
    if allocated not in (8, 16, 32, 64) or not stored <= high + 1 <= allocated or stored <= 0:
        bits = {"bits_allocated": allocated, "bits_stored": stored, "high_bit": high}
        raise PixelError("syntax_unreadable", "the number of bits is not one that can be read", **bits)
    return _Layout(
        rows=rows,
        cols=cols,
        samples=whole(element(ds, "SamplesPerPixel")) or 1,
        allocated=allocated,
        stored=stored,
        high=high,
        signed=bool(whole(element(ds, "PixelRepresentation"))),
        planar=bool(whole(element(ds, "PlanarConfiguration"))),
        photometric=text(element(ds, "PhotometricInterpretation")),
        syntax=syntax,
    )


def _decompressed(ds: Dataset, layout: _Layout) -> npt.NDArray[Any]:
    frame = _compressed_frame(ds, layout.syntax)
    try:
        if layout.syntax == _JPEG_EXTENDED:
            return np.asarray(imagecodecs.jpeg_decode(frame))
        decoder = get_decoder(UID(layout.syntax))
        values, _ = decoder.as_array(ds, index=0, raw=True, decoding_plugin=_PLUGIN[layout.syntax])
        return values
    except Exception as error:
        name = UID(layout.syntax).name
        raise PixelError("syntax_unreadable", "the decoder refuses the frame", transfer_syntax=name) from error


def _compressed_frame(ds: Dataset, syntax: str) -> bytes:
    try:
        frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    except Exception as error:
        raise PixelError("pixel_data_truncated", "the fragments of the frame are not whole") from error
    if syntax not in _RLE and _END_OF_STREAM not in frame[-_TAIL:]:
        raise PixelError("pixel_data_truncated", "the compressed frame has no end")
    return frame


def _native(ds: Dataset, layout: _Layout) -> npt.NDArray[Any]:
    for name, kind in (("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")):
        if content := element(ds, name):
            return _shaped(content, layout, kind)
    return _shaped(ds.PixelData, layout, f"{'i' if layout.signed else 'u'}{layout.allocated // 8}")


def _shaped(content: bytes, layout: _Layout, kind: str) -> npt.NDArray[Any]:
    dtype = np.dtype(kind).newbyteorder(">" if layout.syntax == _BIG_ENDIAN else "<")
    count = layout.rows * layout.cols * layout.samples
    have, want = len(content), count * dtype.itemsize
    if have < want:
        raise PixelError("pixel_data_truncated", "the frame is shorter than its header says", want=want, have=have)
    values = np.frombuffer(content, dtype, count).astype(dtype.newbyteorder("="))
    if layout.samples == 1:
        return values.reshape(layout.rows, layout.cols)
    if layout.planar:
        return np.moveaxis(values.reshape(layout.samples, layout.rows, layout.cols), 0, -1)
    return values.reshape(layout.rows, layout.cols, layout.samples)


def _one_channel(values: npt.NDArray[Any], layout: _Layout) -> npt.NDArray[Any]:
    """Grey values; three equal channels are one. Raises PixelError on colour."""
    if values.ndim == 2 and layout.photometric in ("MONOCHROME1", "MONOCHROME2", ""):
        return values
    if values.ndim == 3 and layout.photometric == "RGB" and (values == values[..., :1]).all():
        return np.ascontiguousarray(values[..., 0])
    raise PixelError("syntax_unreadable", "the image is in colour", photometric=layout.photometric)


def _without_overlays(values: npt.NDArray[Any], layout: _Layout) -> npt.NDArray[Any]:
    # A decoder may give fewer bytes a value than the header allocates.
    width = values.dtype.itemsize * 8
    stored, high = min(layout.stored, width), min(layout.high, width - 1)
    if stored == width:
        return values
    shift = high - stored + 1
    bits = (values.view(f"u{values.dtype.itemsize}") >> shift) & ((1 << stored) - 1)
    if not layout.signed:
        return bits
    # Sign-extend: the top stored bit to the top of the word and back.
    left = width - stored
    return (bits << left).view(f"i{values.dtype.itemsize}") >> left
