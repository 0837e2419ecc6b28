"""Prepared images of manifest rows: decoded once, kept on disk across runs and in memory within one."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from ml.pixels.augment import AugmentConfig, augment
from ml.pixels.cache import PixelCache
from ml.pixels.decode import Decoded, decode
from ml.pixels.errors import PixelError
from ml.pixels.header import PixelInfo
from ml.pixels.prepare import PixelsConfig, Prepared, prepare
from ml.runs import atomic
from ml.runs.errors import RunRefused, invalid, refused
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict
from ml.training.selection import Warn

MEMORY_BYTES = 512 * 2**20
MAX_UNREADABLE = 0.01


class StoredImages:
    """Images under `root`, prepared by `config`, cached under `cache`; those used last are kept in memory too."""

    memory_bytes = MEMORY_BYTES

    def __init__(self, root: Path, cache: Path, config: PixelsConfig, variation: AugmentConfig, warn: Warn) -> None:
        self.root, self.config, self.variation, self.warn = root, config, variation, warn
        self._disk = PixelCache(cache)
        self._memory: OrderedDict[str, Prepared] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @classmethod
    def of(
        cls, root: Path, cache: Path, pixels: Mapping[str, Any], variation: Mapping[str, Any], warn: Warn
    ) -> "StoredImages":
        """From the options of a method and a request. Raises RunRefused (exit 2) on one that does not exist."""
        try:
            return cls(root, cache, PixelsConfig.of(pixels), AugmentConfig.of(variation), warn)
        except TypeError as error:
            raise invalid("pixels_invalid", str(error)) from None

    def prepared(self, row: ManifestRow) -> Prepared:
        """The prepared image of a row. Raises PixelError, RunRefused (exit 3)."""
        with self._lock:
            if (found := self._memory.get(row.image_id)) is not None:
                self._memory.move_to_end(row.image_id)
                return found
        image = self._disk.get_or_make(_source(row), self.config, lambda: self._make(row))
        self._remember(row.image_id, image)
        return image

    def varied(self, image: Any, row: ManifestRow, seed: int) -> Prepared:
        """An augmented copy, a pure function of the seed."""
        return augment(image, self.variation, seed=seed, view=row.view)

    def for_row(self, row: dict[str, Any]) -> Prepared:
        """The prepared image of a manifest row as a dict, for the baselines."""
        return self.prepared(from_dict(ManifestRow, row))

    def readable(self, rows: Sequence[ManifestRow], told: Callable[[int], None], most: float) -> list[ManifestRow]:
        """Prepare all rows; those that can be read. Raises RunRefused (exit 3) where a share over `most` cannot."""
        good = []
        for n, row in enumerate(rows, 1):
            try:
                self.prepared(row)
                good.append(row)
            except PixelError as error:
                self.warn("unreadable", f"an image cannot be read: {error.code}", row.image_id)
            told(n)
        lost = len(rows) - len(good)
        if lost > most * len(rows):
            raise refused("unreadable_images", f"{lost} of {len(rows)} images cannot be read")
        return good

    def _make(self, row: ManifestRow) -> Prepared:
        path = (self.root / row.pixel_path).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise invalid("path_outside", "a pixel path leads out of pixels_root", image_id=row.image_id)
        if not path.is_file():
            raise PixelError("pixel_data_truncated", "the file is not there")
        if row.sha256 and atomic.sha256_of(path) != row.sha256:
            raise _mismatch("hash_mismatch", "a file does not have the hash of its row", row)
        decoded = decode(path, pixel_format=row.pixel_format, given=_given(row))
        self._compare(decoded, row)
        if row.presentation == "film" and decoded.info.presentation == "for_presentation":
            # A film that was wrapped as DICOM calls itself For Presentation; its labels and bright edges are film's.
            decoded = replace(decoded, info=replace(decoded.info, presentation="film"))
        return prepare(decoded, self.config, spacing_mm=row.spacing_mm)

    def _compare(self, decoded: Decoded, row: ManifestRow) -> None:
        if decoded.pixels.shape != (row.rows, row.cols):
            raise _mismatch("size_mismatch", "an image does not have the size of its row", row)
        known = row.presentation in ("for_processing", "for_presentation")
        if known and decoded.info.presentation != row.presentation:
            self.warn("presentation_differs", "the header's presentation intent wins over the row's", row.image_id)

    def _remember(self, key: str, image: Prepared) -> None:
        with self._lock:
            if key not in self._memory:
                self._memory[key] = image
                self._bytes += _bytes(image)
            while self._bytes > self.memory_bytes and len(self._memory) > 1:
                _, old = self._memory.popitem(last=False)
                self._bytes -= _bytes(old)


def _bytes(image: Prepared) -> int:
    return image.x.nbytes + image.mask.nbytes


def _source(row: ManifestRow) -> str:
    """What the cache knows a row by: the file, and what its row adds to it."""
    added = f"{row.pixel_path}|{row.sha256}|{row.spacing_mm}|{row.presentation}|{row.photometric}|{row.laterality}"
    return hashlib.sha256(added.encode()).hexdigest()


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
