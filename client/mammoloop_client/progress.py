"""What a person sees while it works: one line a step with its time, and a line that moves while a job runs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from mammoloop_client.http import Client

POLL_SECONDS = 0.5
STALL_SECONDS = 900.0
_ENDED = ("done", "failed", "cancelled")


class StepFailed(Exception):
    """A step did not hold; the sentence says what and why."""


@dataclass
class Steps:
    """The steps of a play with their seconds, printed as they go."""

    out: TextIO = field(default_factory=lambda: sys.stderr)
    seconds: dict[str, float] = field(default_factory=dict)
    _moving: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; what fails inside is named by it."""
        began = time.monotonic()
        self.say(f"{name} …")
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 1)
        self.say(f"{name}: {self.seconds[name]:.1f} s")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._moving:
            self.out.write("\r\033[K")
            self._moving = False
        self.out.write(text + "\n")
        self.out.flush()

    def move(self, text: str) -> None:
        """A line that the next one replaces; nothing where nobody watches."""
        if self.out.isatty():
            self._moving = True
            self.out.write(f"\r\033[K  {text[:110]}")
            self.out.flush()


def wait_for(client: Client, job_ids: list[str], steps: Steps, *, stall_seconds: float = STALL_SECONDS) -> list[Any]:
    """Wait until all jobs are done; their results, in order.

    Raises StepFailed with the job's own reason, or where none of them moved for `stall_seconds`.
    """
    seen: dict[str, Any] = {}
    moved_at = time.monotonic()
    while True:
        jobs = [client.get(f"jobs/{job_id}/") for job_id in job_ids]
        state = {job["id"]: (job["state"], job["done"], job["message"]) for job in jobs}
        if state != seen:
            seen, moved_at = state, time.monotonic()
        failed = next((job for job in jobs if job["state"] in ("failed", "cancelled")), None)
        if failed:
            raise StepFailed(f"{failed['title'] or failed['kind']} {failed['state']}: {_reason(failed)}")
        if all(job["state"] in _ENDED for job in jobs):
            return [job["result"] for job in jobs]
        steps.move(" | ".join(_line(job) for job in jobs if job["state"] not in _ENDED))
        if time.monotonic() - moved_at > stall_seconds:
            raise StepFailed(f"Nothing moved for {stall_seconds:.0f} s: {', '.join(_line(job) for job in jobs)}")
        time.sleep(POLL_SECONDS)


def wait_until_idle(client: Client, project: str, steps: Steps) -> None:
    """Wait until a project has no job left that waits or runs."""
    while True:
        jobs = [job for state in ("queued", "running") for job in client.pages("jobs/", project=project, state=state)]
        if not jobs:
            return
        wait_for(client, [job["id"] for job in jobs], steps)


def _line(job: dict[str, Any]) -> str:
    total = f"/{job['total']}" if job["total"] else ""
    return f"{job['title'] or job['kind']}: {job['state']} {job['done']}{total} {job['message']}".strip()


def _reason(job: dict[str, Any]) -> str:
    error = job.get("error") or {}
    detail = f" {error['detail']}" if error.get("detail") else ""
    return f"{error.get('sentence', 'no reason given')} ({error.get('code', '-')}){detail}"
