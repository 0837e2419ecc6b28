"""A small disk: a real file system with next to nothing free, mounted for the time of one command."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

SIZE = "64m"
#: In a mount namespace of its own, as its own root: it is gone with the command, and nobody else sees it.
PREFIX = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def on_a_small_disk(place: Path, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` where `place` is a disk of 64 MB, with what `place` held before on it."""
    script = (
        'cp -a "$0" "$0.kept" && mount -t tmpfs -o size=$1 none "$0" && cp -a "$0.kept/." "$0" && shift && exec "$@"'
    )
    return [*PREFIX, script, str(place), SIZE, *argv]


def can_make_small_disks() -> bool:
    """Whether this machine lets an ordinary command mount a disk of its own."""
    try:
        asked = [*PREFIX, "mount -t tmpfs none /mnt"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
