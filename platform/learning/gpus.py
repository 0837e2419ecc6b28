"""Which GPU a training gets: one file lock a GPU, held as long as the training lives. No GPU: none is needed."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from learning.errors import GpuBusy


def gpu_numbers(devices: Path = Path("/dev")) -> list[int]:
    """The GPUs of this machine that this process may use, by number."""
    found = sorted(int(path.name[6:]) for path in devices.glob("nvidia[0-9]*") if path.name[6:].isdigit())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    allowed = {int(number) for number in visible.split(",") if number.strip().isdigit()}
    return [number for number in found if number in allowed]


@contextlib.contextmanager
def one_gpu(lock_dir: Path, numbers: list[int]) -> Iterator[int | None]:
    """Hold a free GPU of `numbers`; None where there is none at all. Raises GpuBusy where all are taken.

    The kernel drops the lock when the process dies, however it dies.
    """
    if not numbers:
        yield None
        return
    lock_dir.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        descriptor = os.open(lock_dir / f"gpu{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield number
        finally:
            os.close(descriptor)
        return
    raise GpuBusy(gpus=len(numbers))
