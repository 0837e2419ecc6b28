"""The context that a handler works in: progress, log, and whether to go on."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from jobs import services
from jobs.models import Job

PROGRESS_EVERY_SECONDS = 0.5
LOG_TAIL_CHARACTERS = 8_000


class Cancelled(Exception):
    """Somebody pressed Cancel."""


class GiveBack(Exception):
    """The worker is going down: the job goes back to the queue and the attempt does not count."""


class LeaseGone(Exception):
    """Another worker has this job now: leave without a trace."""


@dataclass
class JobContext:
    """What a handler may ask of the job that it works for."""

    job: Job
    token: UUID
    attempt: int
    stop_file: Path | None = None
    #: What was done, for the row of the ended job.
    conclusion: str = ""
    _written: float = 0.0
    _asked: float = 0.0

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Say how far it is; written at most twice a second, and always at the end."""
        self.job.done, self.job.total, self.job.message = done, total, message[:200]
        at = time.monotonic()
        if at - self._written < PROGRESS_EVERY_SECONDS and done != total:
            return
        self._written = at
        self._update(done=done, total=total, message=message[:200])

    def conclude(self, text: str) -> None:
        """Say in a sentence what was done; the job's message when it has ended. No identities."""
        self.conclusion = text[:200]

    def heartbeat(self) -> None:
        """Say that the worker lives. A thread does so too; call it where a loop may hang."""
        self._update()

    def log(self, text: str) -> None:
        """Add a line to the end of the job's log, which its page shows. No identities."""
        self.job.log_tail = (self.job.log_tail + text.rstrip() + "\n")[-LOG_TAIL_CHARACTERS:]
        self._update(log_tail=self.job.log_tail)

    def forget(self, name: str) -> None:
        """Empty a list among the parameters that nobody needs any more: it named things of others."""
        self.job.params = {**self.job.params, name: []}
        self._update(params=self.job.params)

    @property
    def stopping(self) -> bool:
        """True when the worker is going down."""
        return self.stop_file is not None and self.stop_file.exists()

    def check_cancelled(self) -> None:
        """Raises Cancelled, GiveBack or LeaseGone. Cheap: the table is asked at most twice a second."""
        if self.stopping:
            raise GiveBack()
        at = time.monotonic()
        if at - self._asked < PROGRESS_EVERY_SECONDS:
            return
        self._asked = at
        row = Job.objects.filter(pk=self.job.pk, lease_token=self.token).values_list("cancel_requested_at").first()
        if row is None:
            raise LeaseGone()
        if row[0] is not None:
            raise Cancelled()

    def _update(self, **fields: Any) -> None:
        if not services.extend_lease(self.job.pk, token=self.token, **fields):
            raise LeaseGone()
