"""One error for all that a run refuses: a stable code, the exit status, a sentence, the rows."""

from typing import Any

from ml.runs.exits import Exit


class RunRefused(Exception):
    """A run cannot go on. `code` is stable, `exit` is the process's status, `detail` is JSON without identities."""

    def __init__(self, exit_code: Exit, code: str, text: str, **detail: Any) -> None:
        super().__init__(text)
        self.exit, self.code, self.text, self.detail = exit_code, code, text, detail

    @property
    def sentence(self) -> str:
        """For a terminal: the code, the text, and which rows it is about."""
        which = [f"{name}: {self.detail[name]}" for name in ("image_id", "examples") if name in self.detail]
        return f"{self.code}: {self.text}" + (f" ({'; '.join(which)})" if which else "")


def invalid(code: str, text: str, **detail: Any) -> RunRefused:
    """The request, the manifest or an argument is wrong (exit 2)."""
    return RunRefused(Exit.INVALID_REQUEST, code, text, **detail)


def refused(code: str, text: str, **detail: Any) -> RunRefused:
    """The data cannot be learned from (exit 3)."""
    return RunRefused(Exit.DATA_REFUSED, code, text, **detail)
