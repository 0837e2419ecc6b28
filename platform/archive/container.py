"""A DICOM file opened with distrust: its header, and whether its pixels are all there.

The reader library returns an empty or a shortened dataset for a file that is cut, and raises nothing. So the length of
the pixel data element is compared with what follows it in the file.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from archive.errors import ImageTooLarge, NotDicom, PixelDataTruncated

#: The largest file that is read into memory: twice the largest image at 16 bits.
MOST_BYTES = 2**30

#: What the reader library raises for bytes that are no DICOM, or broken DICOM.
BROKEN = (
    InvalidDicomError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
    NotImplementedError, struct.error, zlib.error, RecursionError,
)  # fmt: skip

_CHUNK = 2**20
_UNDEFINED = 0xFFFFFFFF
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_PIXEL_TAGS = {(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)}
_LONG_VRS = {b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"}


@dataclass(frozen=True)
class Header:
    """What a file says before its pixels. `has_pixels`: a pixel data element follows."""

    dataset: Dataset
    has_pixels: bool


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises NotDicom; PixelDataTruncated where the pixel data element is cut; ImageTooLarge for a deflated file that
    would fill the memory.
    """
    with path.open("rb") as file:
        try:
            if _is_deflated(file):
                _require_small_inflated(file)
            file.seek(0)
            dataset = dcmread(file, stop_before_pixels=True, force=True)
            syntax = dataset.file_meta.get("TransferSyntaxUID")
            known = "SOPClassUID" in dataset or "Modality" in dataset or "MediaStorageSOPClassUID" in dataset.file_meta
        except BROKEN as error:
            raise NotDicom() from error
        if not known:
            raise NotDicom()
        if syntax == DeflatedExplicitVRLittleEndian:
            return Header(dataset, _deflated_has_pixels(path))
        return Header(dataset, _pixels_follow(file, path.stat().st_size, syntax))


def read_whole(path: Path) -> Dataset:
    """The whole dataset, pixels included. Raises ImageTooLarge, PixelDataTruncated: the header was readable before."""
    if path.stat().st_size > MOST_BYTES:
        raise ImageTooLarge(bytes=path.stat().st_size)
    try:
        dataset = dcmread(path, force=True)
        if "SOPInstanceUID" not in dataset:
            raise PixelDataTruncated()
        return dataset
    except BROKEN as error:
        raise PixelDataTruncated() from error


def _is_deflated(file: BinaryIO) -> bool:
    """Whether the meta header names the deflated syntax; the file is left where the dataset begins."""
    head = file.read(144)
    # (0002,0000) comes first and says how long the rest of the meta header is. Source: PS3.10 7.1.
    if head[128:132] != b"DICM" or head[132:138] != b"\x02\x00\x00\x00UL":
        return False
    meta = file.read(min(struct.unpack("<I", head[140:144])[0], 2**16))
    return DeflatedExplicitVRLittleEndian.encode() in meta


def _require_small_inflated(file: BinaryIO) -> None:
    """Inflate in pieces and count: the reader library would do it at once. Raises ImageTooLarge."""
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := inflate.unconsumed_tail or file.read(_CHUNK):
        total += len(inflate.decompress(chunk, _CHUNK))
        if total > MOST_BYTES:
            raise ImageTooLarge()


def _deflated_has_pixels(path: Path) -> bool:
    return any(tag in read_whole(path) for tag in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


def _pixels_follow(file: BinaryIO, size: int, syntax: str | None) -> bool:
    """Whether the file goes on with a pixel data element. Raises PixelDataTruncated."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    head = file.read(8)
    if len(head) < 8:
        return False
    if struct.unpack(f"{order}HH", head[:4]) not in _PIXEL_TAGS:
        return False
    length = struct.unpack(f"{order}I", head[4:])[0]
    if syntax != ImplicitVRLittleEndian and head[4:6] in _LONG_VRS:
        more = file.read(4)
        if len(more) < 4:
            raise PixelDataTruncated()
        length = struct.unpack(f"{order}I", more)[0]
    if length != _UNDEFINED:
        if file.tell() + length > size:
            raise PixelDataTruncated(expected=length, found=size - file.tell())
        return True
    _walk_fragments(file, size)
    return True


def _walk_fragments(file: BinaryIO, size: int) -> None:
    """Go over the items of encapsulated pixel data to its end. Raises PixelDataTruncated. Source: PS3.5 A.4."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise PixelDataTruncated()
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == _END:
            return
        if (group, element) != _ITEM or file.tell() + length > size:
            raise PixelDataTruncated()
        file.seek(length, 1)
