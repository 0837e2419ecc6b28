"""What the reading room paints: the full resolution losslessly compressed, a smaller level, a thumbnail.

Made once from the stored file and kept under its SHA-256, so the web process streams files and decodes nothing.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import simplejpeg
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import HTJ2KLosslessRPCL

from archive import queries, store
from archive.models import Image
from ml.pixels.decode import stored_values

FRAME, DISPLAY, THUMBNAIL, METADATA = "frame.jph", "display.jph", "thumbnail.jpg", "metadata.json"
#: Long side of the level that four panes show at once on one screen.
DISPLAY_SIDE = 1536
THUMBNAIL_SIDE = 256
JPEG_QUALITY = 85
FRAME_SYNTAX = str(HTJ2KLosslessRPCL)
FILES = (FRAME, DISPLAY, THUMBNAIL, METADATA)


@dataclass(frozen=True)
class Level:
    """The size of a smaller level: every value is the mean of `factor` x `factor` stored ones."""

    factor: int
    rows: int
    cols: int


def display_level(rows: int, cols: int) -> Level:
    """The display level of an image; factor 1 where the image is small already."""
    factor = max(1, math.ceil(max(rows, cols) / DISPLAY_SIDE))
    return Level(factor, math.ceil(rows / factor), math.ceil(cols / factor))


def derive(image: Image) -> None:
    """Make what is missing of an image's files. Raises ObjectMissing, PixelError."""
    if all(store.derived_file(image.sha256, name).is_file() for name in FILES):
        return
    dataset = dcmread(queries.object_path(image))
    stored = _stored(dataset)
    level = display_level(*stored.shape)
    _write(image, FRAME, _compressed(stored))
    _write(image, DISPLAY, _compressed(_reduced(stored, level)))
    _write(image, THUMBNAIL, _thumbnail(stored, image))
    _write(image, METADATA, json.dumps(metadata_of(dataset, image), separators=(",", ":")).encode())


def file_of(image: Image, name: str) -> Path:
    """A derived file of an image."""
    return store.derived_file(image.sha256, name)


def _write(image: Image, name: str, content: bytes) -> None:
    store.write_atomically(file_of(image, name), [content])


def _stored(dataset: Dataset) -> npt.NDArray[Any]:
    values = np.ascontiguousarray(stored_values(dataset))
    if values.dtype.itemsize > 2 or values.dtype.kind == "f":
        raise AssertionError("only 8 and 16 bits are taken in")
    return values


def _compressed(values: npt.NDArray[Any]) -> bytes:
    # tlm: the marker of tile lengths that the syntax of progression by resolution asks for (PS3.5 8.2.14).
    return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(values), reversible=True, tlm=True))


def _reduced(values: npt.NDArray[Any], level: Level) -> npt.NDArray[Any]:
    """Means of squares; at the lower and right border of what is left of them."""
    if level.factor == 1:
        return values
    rows, cols = level.rows * level.factor - values.shape[0], level.cols * level.factor - values.shape[1]
    padded = np.pad(values, ((0, rows), (0, cols)), mode="edge")
    blocks = padded.reshape(level.rows, level.factor, level.cols, level.factor)
    return np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(values.dtype)


def _thumbnail(stored: npt.NDArray[Any], image: Image) -> bytes:
    factor = max(1, math.ceil(max(stored.shape) / THUMBNAIL_SIDE))
    small = _reduced(stored, Level(factor, math.ceil(stored.shape[0] / factor), math.ceil(stored.shape[1] / factor)))
    grey = windowed(small.astype(np.float32), image)
    return bytes(simplejpeg.encode_jpeg(grey[..., None], quality=JPEG_QUALITY, colorspace="GRAY"))


def windowed(values: npt.NDArray[np.float32], image: Image) -> npt.NDArray[np.uint8]:
    """Grey 0 to 255 as a person would see it: by the file's first window, or between percentiles where it has none.

    MONOCHROME1 is inverted last. A For Processing image counts photons: its values say little, its order does.
    """
    low, high = (float(v) for v in np.percentile(values, [1.0, 99.5]))
    if image.windows and image.presentation != "for_processing":
        center, width = image.windows[0]["center"], image.windows[0]["width"]
        # A window that shows next to nothing of the image is a left-over of some other step.
        if center - width / 2 < high and center + width / 2 > low:
            low, high = center - width / 2, center + width / 2
    grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    if image.photometric == "MONOCHROME1":
        grey = 1 - grey
    return np.rint(grey * 255).astype(np.uint8)


# --- metadata ---------------------------------------------------------------------------------------------------
_LEFT_OUT = ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def metadata_of(dataset: Dataset, image: Image) -> dict[str, Any]:
    """The stored header as DICOM JSON (PS3.18 F), for frames in the form that is served.

    Pixel Spacing is the one that was computed from the header, so that every viewer measures the same; it is left
    out where nobody knows it.
    """
    served = Dataset()
    served.update({element.tag: element for element in dataset if element.keyword not in _LEFT_OUT})
    if image.spacing_row_mm is not None and image.spacing_col_mm is not None:
        served.PixelSpacing = [image.spacing_row_mm, image.spacing_col_mm]
    elif "PixelSpacing" in served:
        del served.PixelSpacing
    # Frames are served without what old systems kept above the stored bits.
    served.HighBit = served.BitsStored - 1
    served.VOILUTFunction = image.voi_function
    served.NumberOfFrames = 1
    document: dict[str, Any] = served.to_json_dict(suppress_invalid_tags=True)
    document["00083002"] = {"vr": "UI", "Value": [FRAME_SYNTAX]}
    return document
