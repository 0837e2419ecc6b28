"""Decode once: one linear picture in which dense tissue is bright, and everything that the header says of it.

VOI windows are a choice of display and are not applied. What is stored, bit for bit, is `stored_values`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from ml.pixels.errors import PixelError
from ml.pixels.header import PixelInfo, element, number, read_info
from ml.pixels.polarity import attenuation, exposure, inverted
from ml.pixels.stored import open_dataset, stored_values

__all__ = ["Decoded", "decode", "open_dataset", "stored_values"]

FILE_FORMATS = ("png8", "png16", "tiff", "pgm", "jpeg")


@dataclass(frozen=True)
class Decoded:
    """pixels (H, W) float32, linear in the stored value, dense tissue bright; padding (H, W) True where no image is."""

    pixels: npt.NDArray[np.float32]
    info: PixelInfo
    padding: npt.NDArray[np.bool_] | None = None


def decode(source: Path | str | Dataset, *, pixel_format: str = "dicom", given: PixelInfo | None = None) -> Decoded:
    """Decode a DICOM file or data set, or a picture file (png8, png16, tiff, pgm, 8-bit jpeg, npy).

    `given` says what a picture file cannot (photometric, presentation, spacing, side, view); a DICOM header wins over
    it. Raises PixelError.
    """
    if pixel_format == "dicom":
        ds = source if isinstance(source, Dataset) else open_dataset(source)
        return _decode_dicom(ds)
    assert not isinstance(source, Dataset)
    stored = read_picture(source, pixel_format)
    rows, cols = stored.shape
    # A float picture has no depth, so it is inverted within its own range.
    bits = None if stored.dtype.kind == "f" else stored.dtype.itemsize * 8
    base = given or PixelInfo(rows=rows, cols=cols, presentation="film")
    info = replace(base, rows=rows, cols=cols, bits_stored=base.bits_stored or bits)
    if stored.dtype.kind == "f":
        info = replace(info, bits_stored=None)
    return _bright(stored, stored.astype(np.float32), info, signed=stored.dtype.kind == "i", rescale=None)


def read_picture(path: Path | str, pixel_format: str) -> npt.NDArray[Any]:
    """A picture file as stored, (H, W); three equal channels are one. Raises PixelError."""
    try:
        if pixel_format == "npy":
            values = np.load(path, allow_pickle=False)
        elif pixel_format in FILE_FORMATS:
            with Image.open(path) as picture:
                grey = picture.mode in ("L", "I", "I;16", "I;16B", "I;16L", "F", "1")
                values = np.array(picture if grey else picture.convert("RGB"))
        else:
            raise PixelError("syntax_unreadable", "the file format is not known", pixel_format=pixel_format)
    except (OSError, ValueError, SyntaxError) as error:
        raise PixelError("syntax_unreadable", "the picture cannot be read", pixel_format=pixel_format) from error
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or values.size == 0:
        raise PixelError("syntax_unreadable", "the picture is in colour", pixel_format=pixel_format)
    if values.dtype == np.int32:  # Pillow widens 16-bit grey to 32; the file's depth is what counts.
        values = values.astype(np.uint16)
    return values.astype(np.uint8) if values.dtype == bool else values


def _decode_dicom(ds: Dataset) -> Decoded:
    stored = stored_values(ds)
    info = read_info(ds)
    if stored.dtype.kind == "f":
        info = replace(info, bits_stored=None)
    x = stored.astype(np.float32)
    return _bright(stored, x, info, signed=stored.dtype.kind == "i", rescale=ds)


def _bright(
    stored: npt.NDArray[Any], x: npt.NDArray[np.float32], info: PixelInfo, *, signed: bool, rescale: Dataset | None
) -> Decoded:
    padding = _padding(stored, info)
    if info.presentation == "for_processing":
        # The photometric tag is about display and says nothing of raw exposures.
        pixels = attenuation(exposure(_in_units(x, stored, rescale), info, signed=signed), info.intensity_relation)
    elif info.photometric == "MONOCHROME1":
        turned = inverted(x, bits_stored=info.bits_stored, signed=signed)
        pixels = _in_units(turned, turned.astype(stored.dtype), rescale)
    else:
        pixels = _in_units(x, stored, rescale)
    if padding is not None and not padding.all():
        pixels = np.where(padding, pixels[~padding].min(), pixels)
    return Decoded(np.ascontiguousarray(pixels, np.float32), info, padding)


def _padding(stored: npt.NDArray[Any], info: PixelInfo) -> npt.NDArray[np.bool_] | None:
    if info.padding_range is None:
        return None
    low, high = info.padding_range
    return (stored >= low) & (stored <= high)


def _in_units(x: npt.NDArray[np.float32], stored: npt.NDArray[Any], header: Dataset | None) -> npt.NDArray[np.float32]:
    """Modality LUT or rescale. Source: PS3.3 C.11.1."""
    if header is None:
        return x
    if element(header, "ModalityLUTSequence") and stored.dtype.kind != "f":
        try:
            return apply_modality_lut(stored, header).astype(np.float32)
        except Exception as error:
            raise PixelError("syntax_unreadable", "the modality LUT is damaged") from error
    slope, offset = number(element(header, "RescaleSlope")), number(element(header, "RescaleIntercept")) or 0.0
    # A slope of 0 or a negative one would undo the polarity; no maker means it.
    factor = slope if slope is not None and slope > 0 else 1.0
    return x if (factor, offset) == (1.0, 0.0) else x * np.float32(factor) + np.float32(offset)
