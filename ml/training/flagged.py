"""What preparation flagged of a run's images: told once while it runs, and kept with what the run made."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

UNREADABLE = "unreadable"


class Flagged:
    """Images by flag. One that several preparations flag alike counts once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._by_flag: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, image_id: str, flags: Iterable[str]) -> None:
        """An image that was prepared, and its flags; `UNREADABLE` where it could not be."""
        self._seen.add(image_id)
        for flag in flags:
            self._by_flag[flag].add(image_id)

    def rates(self) -> Mapping[str, Mapping[str, Any]]:
        """`{flag: {images, of, share}}`: how many of the images that were looked at, sorted by flag."""
        of = len(self._seen)
        return {
            flag: {"images": len(own), "of": of, "share": round(len(own) / of, 4)}
            for flag, own in sorted(self._by_flag.items())
        }
