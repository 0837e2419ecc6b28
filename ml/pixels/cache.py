"""Prepared images on disk, by the hash of everything that they depend on. Source: methods.md 2.10.

A file holds uint16: the low 15 bits are x times 32767, the top bit is the mask. Beside it a JSON with affine and flags.
Writing is atomic, so several processes may share a folder; reading marks a file as used, and the least used go first
when the folder outgrows its limit.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.pixels.prepare import PixelsConfig, Prepared

CODE = "pixels/3"
"""Raised by any change of code that changes prepared pixels."""
LEVELS = 32767
MASK_BIT = 32768
DEFAULT_LIMIT_BYTES = 20 * 2**30
SWEEP_EVERY = 64
"""Files written between two looks at the folder's size."""


def cache_key(source_sha256: str, ops: list[list[Any]], code: str = CODE) -> str:
    """SHA-256 of canonical JSON of the source's hash, the code's version and the steps; floats by 9 digits."""
    document = {"source_sha256": source_sha256, "code": code, "ops": _rounded(ops)}
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass
class PixelCache:
    """A folder of prepared images, at most about `limit_bytes` large."""

    folder: Path
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    _written: int = 0

    def get_or_make(self, source_sha256: str, config: PixelsConfig, make: Callable[[], Prepared]) -> Prepared:
        """The prepared image, made and kept if it is not there; always as it reads back, so both ways agree."""
        key = cache_key(source_sha256, config.as_ops())
        found = self._read(key)
        if found is not None:
            return found
        self._write(key, made := make())
        return self._read(key) or made

    def _read(self, key: str) -> Prepared | None:
        pixels, about = self._paths(key)
        try:
            packed, note = np.load(pixels, allow_pickle=False), json.loads(about.read_text())
            os.utime(pixels)
            matrix = np.asarray(note["affine"], np.float64)
            flags, mm_per_px, air = tuple(note["flags"]), float(note["mm_per_px"]), bool(note["air"])
        except (OSError, ValueError, EOFError, KeyError):
            return None  # not there, half of it swept away, or a version noted less: it is made again
        x = (packed & LEVELS).astype(np.float32) / np.float32(LEVELS)
        return Prepared(x, packed >= MASK_BIT, matrix, flags, mm_per_px, air)

    def _write(self, key: str, image: Prepared) -> None:
        pixels, about = self._paths(key)
        pixels.parent.mkdir(parents=True, exist_ok=True)
        packed = np.rint(image.x * LEVELS).astype(np.uint16) | (image.mask.astype(np.uint16) * np.uint16(MASK_BIT))
        note = {"affine": image.affine.tolist(), "flags": list(image.flags), "mm_per_px": image.mm_per_px}
        note["air"] = image.air
        written_whole(about, lambda path: path.write_text(json.dumps(note)))
        written_whole(pixels, lambda path: _save(path, packed))
        self._written += 1
        if self._written % SWEEP_EVERY == 0:
            self.sweep()

    def sweep(self) -> None:
        """Remove the least recently used files until the folder is under its limit."""
        for path in least_used(self.folder, "*/*.npy", self.limit_bytes):
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.folder / key[:2] / f"{key}.npy", self.folder / key[:2] / f"{key}.json"


def least_used(folder: Path, pattern: str, limit_bytes: int) -> list[Path]:
    """The files that must go, those used longest ago, for the rest of `pattern` to be under a limit."""
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):  # another process sweeps as well
            found.append((path.stat(), path))
    total, gone = sum(stat.st_size for stat, _ in found), []
    for stat, path in sorted(found, key=lambda item: item[0].st_mtime_ns):
        if total <= limit_bytes:
            break
        gone.append(path)
        total -= stat.st_size
    return gone


def _save(path: Path, packed: np.ndarray) -> None:
    with path.open("wb") as opened:
        np.save(opened, packed)


def written_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside it, which then takes its place: nobody reads half of one."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    write(scratch)
    scratch.replace(path)
