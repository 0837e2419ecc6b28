"""Prepared images of manifest rows: decoded once, kept on disk across runs and in memory within one."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ml.pixels.augment import AugmentConfig, Variation, augment, drawn, toned, turn_of
from ml.pixels.cache import PixelCache, cache_key
from ml.pixels.decode import decode
from ml.pixels.errors import PixelError
from ml.pixels.features import FeatureCache
from ml.pixels.header import PixelInfo
from ml.pixels.mark_masks import MaskUnreadable, stored
from ml.pixels.prepare import PixelsConfig, Prepared, prepare
from ml.pixels.rois import around
from ml.runs import atomic
from ml.runs.errors import RunRefused, invalid, refused
from ml.runs.manifest import ManifestRow, Mark
from ml.runs.records import from_dict
from ml.training.each_ahead import each_ahead
from ml.training.flagged import UNREADABLE
from ml.training.selection import Warn

MEMORY_BYTES, REGION_BYTES = 512 * 2**20, 256 * 2**20
MAX_UNREADABLE = 0.01
SPACING_APART = 0.02
"""By what share a header's spacing may differ from its row's: some are rounded to a hundredth of a millimetre."""
TOLD: Mapping[str, str] = {
    "mask_failed": "no breast was found in {}: the whole frame counts, labels and air with it",
    "orientation_conflict": "the header of {} says another chest wall than the image shows; the image was believed",
    "spacing_assumed": "nobody knows the size of a pixel of {}: lengths in mm are assumed",
    "flat": "{} hold one grey value",
    "presentation_differs": "the header of {} has another presentation intent than its row; the header was believed",
    "spacing_differs": "the header of {} has another pixel spacing than its row, by which lengths are measured",
    "laterality_differs": "the header of {} is of the other breast than its row says",
    "view_differs": "the header of {} has another view than its row",
}
"""What a run says of images whose preparation was flagged."""


class StoredImages:
    """Images under `root`, prepared by `config`, cached under `cache`; those used last are kept in memory too.

    features: where what frozen networks say of them is kept.
    """

    def __init__(self, root: Path, cache: Path, config: PixelsConfig, variation: AugmentConfig, warn: Warn) -> None:
        self.root, self.config, self.variation_config, self.warn = root, config, variation, warn
        self._disk, self.features = PixelCache(cache), FeatureCache(cache / "features")
        self.memory, self.regions = Memory(), Memory(REGION_BYTES)

    @classmethod
    def of(
        cls, root: Path, cache: Path, pixels: Mapping[str, Any], variation: Mapping[str, Any], warn: Warn
    ) -> "StoredImages":
        """From the options of a method and a request. Raises RunRefused (exit 2) on one that does not exist."""
        try:
            return cls(root, cache, PixelsConfig.of(pixels), AugmentConfig.of(variation), warn)
        except TypeError as error:
            raise invalid("pixels_invalid", str(error)) from None

    def with_variation(self, variation: Mapping[str, Any]) -> "StoredImages":
        """The same images, on disk and in memory, varied in another way. Raises RunRefused (exit 2)."""
        other = copy(self)
        try:
            other.variation_config = AugmentConfig.of(variation)
        except TypeError as error:
            raise invalid("pixels_invalid", str(error)) from None
        return other

    def prepared(self, row: ManifestRow) -> Prepared:
        """The prepared image of a row. Raises PixelError, RunRefused (exit 3)."""
        if (found := self.memory.get(row.image_id)) is not None:
            return found
        image = self._disk.get_or_make(self._source(row), self.config, lambda: self._make(row))
        self.memory.put(row.image_id, image)
        return image

    def around(self, row: ManifestRow, box: Sequence[float], size_px: int) -> Prepared:
        """What any turn of a region may read (`rois.around`), kept for the next one. Raises as `prepared` does."""
        key = f"{row.image_id} {tuple(box)} {size_px}"
        if (found := self.regions.get(key)) is None:
            found = around(self.prepared(row), box, size_px)
            self.regions.put(key, found)
        return found

    def known_as(self, row: ManifestRow, seed: int | None) -> str | None:
        """What the prepared image of a row is known by in every run; None where the seed varies it."""
        if seed is not None and not self.variation_config.none:
            return None
        return cache_key(self._source(row), self.config.as_ops())

    def varied(self, image: Prepared, row: ManifestRow, seed: int) -> Prepared:
        """An augmented copy, a pure function of the seed."""
        if self.variation_config.none:
            return image
        return augment(image, self.variation_config, seed=seed, view=row.view)

    def variation(self, image: Prepared, row: ManifestRow, seed: int) -> Variation | None:
        """What `varied` would do to the image, for whoever does it elsewhere; None where that is nothing."""
        return None if self.variation_config.none else drawn(image, self.variation_config, seed=seed, view=row.view)

    def toned(self, image: Any, seed: int) -> Prepared:
        """The image with its grey values varied, its geometry as it is."""
        return toned(image, self.variation_config, seed=seed)

    def turn(self, seed: int) -> tuple[float, bool]:
        """Rotation in degrees and mirroring of a region, which is cut as it is turned: nothing opens at its edges."""
        return turn_of(self.variation_config, seed)

    def mask_of(self, row: ManifestRow, mark: Mark) -> np.ndarray:
        """A stored mask or label map, (rows, cols) uint8. Raises RunRefused (exit 3)."""
        try:
            return _stored(self.root, str(mark.geometry["path"]), row.rows, row.cols)
        except MaskUnreadable as error:
            raise refused("mask_unreadable", f"a mask cannot be read: {error}", image_id=row.image_id) from None

    def for_row(self, row: dict[str, Any]) -> Prepared:
        """The prepared image of a manifest row as a dict, for the baselines."""
        return self.prepared(from_dict(ManifestRow, row))

    def readable(
        self, rows: Sequence[ManifestRow], told: Callable[[int], None], most: float, workers: int = 0,
        note: Callable[[str, Sequence[str]], None] = lambda image_id, flags: None,
    ) -> list[ManifestRow]:  # fmt: skip
        """Prepare all rows; those that can be read. Raises RunRefused (exit 3) where a share over `most` cannot.

        What preparation flagged is told, once for each flag; `note` hears of each image.
        """
        good, flagged = [], dict[str, list[str]]()
        for n, (row, found) in enumerate(each_ahead(self._seen, rows, workers), 1):
            if isinstance(found, PixelError):
                self.warn(UNREADABLE, f"an image cannot be read: {found.code}", row.image_id)
                note(row.image_id, (UNREADABLE,))
            else:
                good.append(row)
                note(row.image_id, found)
                for flag in found:
                    flagged.setdefault(flag, []).append(row.image_id)
            told(n)
        for flag, text in TOLD.items():
            if ids := flagged.get(flag):
                self.warn(flag, text.format(f"{len(ids)} of {len(rows)} images"), ids[0])
        lost = len(rows) - len(good)
        if lost > most * len(rows):
            raise refused("unreadable_images", f"{lost} of {len(rows)} images cannot be read")
        return good

    def _seen(self, row: ManifestRow) -> tuple[str, ...] | PixelError:
        """The flags of an image once it is prepared, or why it cannot be."""
        try:
            return self.prepared(row).flags
        except PixelError as error:
            return error

    def _source(self, row: ManifestRow) -> str:
        """What the cache knows a row by: the bytes of its file, wherever it lies, and what the row says of them."""
        content = row.sha256 or _hashed(self._file(row))
        return hashlib.sha256(f"{content}|{row.pixel_format}|{_given(row)}".encode()).hexdigest()

    def _file(self, row: ManifestRow) -> Path:
        path = (self.root / row.pixel_path).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise invalid("path_outside", "a pixel path leads out of pixels_root", image_id=row.image_id)
        if not path.is_file():
            raise PixelError("pixel_data_truncated", "the file is not there")
        return path

    def _make(self, row: ManifestRow) -> Prepared:
        path = self._file(row)
        if row.sha256 and atomic.sha256_of(path) != row.sha256:
            raise _mismatch("hash_mismatch", "a file does not have the hash of its row", row)
        decoded = decode(path, pixel_format=row.pixel_format, given=_given(row))
        if decoded.pixels.shape != (row.rows, row.cols):
            raise _mismatch("size_mismatch", "an image does not have the size of its row", row)
        differs = differences(decoded.info, row)
        if row.presentation == "film" and decoded.info.presentation == "for_presentation":
            # A film that was wrapped as DICOM calls itself For Presentation; its labels and bright edges are film's.
            decoded = replace(decoded, info=replace(decoded.info, presentation="film"))
        image = prepare(decoded, self.config, spacing_mm=row.spacing_mm)
        return replace(image, flags=(*image.flags, *differs))


class Memory:
    """The images used last, up to a number of bytes; shared by everybody who reads one preparation."""

    def __init__(self, limit: int = MEMORY_BYTES) -> None:
        self.limit = limit
        self._images: OrderedDict[str, Prepared] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: str) -> Prepared | None:
        with self._lock:
            if (found := self._images.get(key)) is not None:
                self._images.move_to_end(key)
            return found

    def put(self, key: str, image: Prepared) -> None:
        with self._lock:
            if key not in self._images:
                self._images[key] = image
                self._bytes += _bytes(image)
            while self._bytes > self.limit and len(self._images) > 1:
                _, old = self._images.popitem(last=False)
                self._bytes -= _bytes(old)


@lru_cache(maxsize=64)
def _stored(root: Path, path: str, rows: int, cols: int) -> np.ndarray:
    return stored(root, path, rows, cols)


def _bytes(image: Prepared) -> int:
    return image.x.nbytes + image.mask.nbytes


def _hashed(path: Path) -> str:
    """SHA-256 of a file whose row has none; read again only where the file was replaced."""
    about = path.stat()
    return _hash_of(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=2**17)
def _hash_of(path: Path, size: int, mtime_ns: int) -> str:
    return atomic.sha256_of(path)


def differences(info: PixelInfo, row: ManifestRow) -> list[str]:
    """Flags for what a header says otherwise than its row; what either does not say is no difference."""
    found = []
    if row.presentation in ("for_processing", "for_presentation") and info.presentation != row.presentation:
        found.append("presentation_differs")
    own, said = info.spacing_mm, row.spacing_mm
    if own and said and not np.allclose(own, said, rtol=SPACING_APART, atol=0):
        found.append("spacing_differs")
    if info.laterality and row.laterality and info.laterality != row.laterality:
        found.append("laterality_differs")
    if info.view and row.view and info.view != row.view:
        found.append("view_differs")
    return found


def _given(row: ManifestRow) -> PixelInfo:
    return PixelInfo(
        rows=row.rows,
        cols=row.cols,
        bits_stored=row.bits_stored,
        photometric=row.photometric,
        presentation=row.presentation,
        spacing_mm=row.spacing_mm,
        spacing_source=row.spacing_source,
        laterality=row.laterality,
        view=row.view,
    )


def _mismatch(code: str, text: str, row: ManifestRow) -> RunRefused:
    return refused(code, text, image_id=row.image_id)
