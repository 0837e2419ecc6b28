"""What frozen networks said of prepared images, on disk, by the hash of everything that it depends on.

The manner is that of `ml.pixels.cache`: each file is whole or not there, several processes may share a folder, and the
least used files go first when it outgrows its limit.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ml.pixels.cache import SWEEP_EVERY, least_used, written_whole

DEFAULT_LIMIT_BYTES = 5 * 2**30
Arrays = Mapping[str, npt.NDArray[Any]]


def feature_key(image: str, **depends: Any) -> str:
    """SHA-256 of canonical JSON of an image's key (`ml.pixels.cache.cache_key`) and what else features depend on."""
    document = {"image": image, **depends}
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass
class FeatureCache:
    """A folder of named arrays by key, at most about `limit_bytes` large."""

    folder: Path
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    _written: int = 0

    def read(self, key: str) -> Arrays | None:
        """The arrays of a key, as they were written; None where they are not there, or not whole."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as kept:
                found = {name: kept[name] for name in kept.files}
            os.utime(path)
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):
            return None
        return found

    def write(self, key: str, arrays: Arrays) -> None:
        """Keep arrays."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        written_whole(path, lambda scratch: _save(scratch, arrays))
        self._written += 1
        if self._written % SWEEP_EVERY == 0:
            self.sweep()

    def sweep(self) -> None:
        """Remove the least recently used files until the folder is under its limit."""
        for path in least_used(self.folder, "*/*.npz", self.limit_bytes):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"


def _save(path: Path, arrays: Arrays) -> None:
    named: Any = dict(arrays)
    with path.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **named)
