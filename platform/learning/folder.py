"""A run folder as a download: a zip that is written while it is sent."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CHUNK = 1 << 18
#: Checkpoints are as large as the model times six and of use to the learner alone; the lock is a process's.
_LEFT_OUT = ("checkpoints", "lock", "control")


class _Sink(io.RawIOBase):
    """Where zipfile writes to, and we take from. It cannot seek, so zipfile writes sizes after the data."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        """What was written since the last time."""
        content, self._parts = b"".join(self._parts), []
        return content


def files_of(run_dir: Path) -> list[Path]:
    """The files of a run folder that a person takes home, in order of their names."""
    return sorted(
        path
        for path in run_dir.rglob("*")
        if path.is_file() and not path.is_symlink() and path.relative_to(run_dir).parts[0] not in _LEFT_OUT
    )


def zipped(run_dir: Path, top: str) -> Iterator[bytes]:
    """The folder as a zip, in chunks; inside, all names begin with `top/`."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for path in files_of(run_dir):
            info = zipfile.ZipInfo.from_file(
                path, f"{top}/{path.relative_to(run_dir).as_posix()}", strict_timestamps=False
            )
            info.compress_type = zipfile.ZIP_STORED if path.suffix == ".safetensors" else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()
