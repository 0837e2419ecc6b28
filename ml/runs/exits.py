"""Exit codes of `python -m ml`, and what a caller does about each."""

from enum import IntEnum


class Exit(IntEnum):
    """How a run ended."""

    FINISHED = 0
    UNEXPECTED = 1
    INVALID_REQUEST = 2
    DATA_REFUSED = 3
    OUT_OF_MEMORY = 4
    DIVERGED = 5
    DEVICE_LOST = 6
    CANCELLED = 10
    TIME_BUDGET = 11
    LOCKED = 12

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANINGS[self]

    @property
    def resumable(self) -> bool:
        """True where starting the same folder again goes on from its last checkpoint."""
        return self in (Exit.DEVICE_LOST, Exit.CANCELLED, Exit.TIME_BUDGET, Exit.LOCKED)

    @property
    def retry(self) -> bool:
        """True where the caller should start it again without being asked."""
        return self in (Exit.DEVICE_LOST, Exit.LOCKED)


_MEANINGS = {
    Exit.FINISHED: "Finished; result.json is valid.",
    Exit.UNEXPECTED: "An unexpected error; the traceback is in the last event.",
    Exit.INVALID_REQUEST: "The request, the manifest or an argument is not valid.",
    Exit.DATA_REFUSED: "The data were refused: leakage between splits, a missing label, a wrong hash or size.",
    Exit.OUT_OF_MEMORY: "Out of memory with one image at a time; a smaller size, or gradient checkpointing, may fit.",
    Exit.DIVERGED: "The loss stayed not finite after going back to the last checkpoint.",
    Exit.DEVICE_LOST: "The device is missing or was lost.",
    Exit.CANCELLED: "Cancelled; a checkpoint was left.",
    Exit.TIME_BUDGET: "The time budget was reached; a checkpoint was left.",
    Exit.LOCKED: "Another process holds this run folder.",
}


def meaning_of(code: int) -> str:
    """The sentence for any exit status, also for a process ended by a signal (negative, or 128 + n)."""
    if code < 0 or code > 128:
        return f"Ended by signal {-code if code < 0 else code - 128}; a lost worker, to be resumed."
    return Exit(code).meaning if code in Exit._value2member_map_ else f"Ended with the unknown code {code}."
