"""The two things that a child process does for us, from the job's side: train a run, score with a version."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from django.conf import settings

from core.errors import MammoError
from jobs.handlers import Cancelled, GiveBack, JobContext, LeaseGone
from learning import errors, queries
from learning.gpus import gpu_numbers, one_gpu
from learning.models import Comparison, ModelVersion, Run
from learning.rules import progress_text
from learning.services import runs, scores
from learning.supervise import PATIENCE, Event, Patience, StopChild, environment, supervise
from ml.runs.exits import Exit

#: What an exit code means to the job. Killed and lost ones are tried again and resume.
_ERRORS: Mapping[int, type[MammoError]] = {
    Exit.INVALID_REQUEST: errors.RunInvalid,
    Exit.DATA_REFUSED: errors.DataRefused,
    Exit.OUT_OF_MEMORY: errors.OutOfMemory,
    Exit.DIVERGED: errors.Diverged,
    Exit.DEVICE_LOST: errors.DeviceLost,
    Exit.CANCELLED: errors.ChildKilled,
    Exit.TIME_BUDGET: errors.TimeSpent,
}
#: Another process holds the folder: its last owner saw its pipe close and is on the way out.
LOCKED_WAIT_SECONDS = 10.0


@dataclass
class JobWatch:
    """Stores what the child says, shows how far it is, and stops it when the job is stopped."""

    ctx: JobContext
    run_id: UUID | None
    attempt: int = 1
    last_failure: Mapping[str, Any] | None = None

    def events(self, new: list[Event]) -> None:
        """Store first, then show: what a person saw is there after a crash."""
        if self.run_id is not None:
            self.attempt = runs.store_events(self.run_id, new, attempt=self.attempt)
        for event in new:
            if event["type"] == "progress":
                self.ctx.progress(int(event.get("step") or 0), event.get("planned_steps"), progress_text(event))
            elif event["type"] in ("warning", "failed"):
                self.ctx.log(f"{event['type']}: {event.get('code')}: {event.get('text')}")
            if event["type"] == "failed":
                self.last_failure = event

    def still(self, seconds: float, where: str) -> None:
        """Say on the job's page and in its log that nothing has moved for long."""
        text = f"no step for {seconds / 60:.0f} min ({where})"
        self.ctx.log(f"warning: {text}; it goes on, and may be cancelled")
        self.ctx.progress(self.ctx.job.done, self.ctx.job.total, text)

    def check(self) -> None:
        """Raises StopChild when the job was cancelled, given back, or belongs to somebody else by now."""
        try:
            self.ctx.check_cancelled()
        except Cancelled as reason:
            raise StopChild("cancel", reason) from reason
        except GiveBack as reason:
            raise StopChild("give_back", reason) from reason
        except LeaseGone as reason:
            raise StopChild("kill", reason) from reason


def train_run(ctx: JobContext, run_id: UUID | str, *, patience: Patience = PATIENCE) -> ModelVersion:
    """Train to the end and import what came of it; a finished result that is there already is imported as it is."""
    run = Run.objects.select_related("project", "snapshot", "init", "weights", "created_by").get(pk=run_id)
    if runs.finished_result(run.pk) is None:
        folder = runs.write_folder(run)
        watch = JobWatch(ctx, run.pk)
        code = _run_child("train", folder, watch, size=run.size, patience=patience)
        runs.note_exit(run.pk, code)
        raise_for(code, watch.last_failure)
    return runs.import_run(run)


def score_version(ctx: JobContext, version_id: UUID | str, *, patience: Patience = PATIENCE) -> int:
    """Score every unread training exam that this version has not scored; how many scores were stored."""
    version = ModelVersion.objects.select_related("project", "run").get(pk=version_id)
    if version.state != ModelVersion.State.PROMOTED:
        return 0
    folder = scores.write_score_folder(version, ctx.job.pk)
    if folder is None:
        return 0
    watch = JobWatch(ctx, None)
    code = _run_child("score", folder, watch, size=version.size, patience=patience)
    raise_for(code, watch.last_failure)
    stored = scores.import_scores(version, folder)
    shutil.rmtree(folder, ignore_errors=True)  # a copy of the model, and what is in the database by now
    return stored


def compare_versions(comparison_id: UUID | str) -> dict[str, Any]:
    """What comes of comparing two versions on the same patients; see `learning.comparing`."""
    # Here and not at the top: evaluation loads scipy and scikit-image, which the web process never needs.
    from learning.comparing import compared

    rows = Comparison.objects.select_related("first__snapshot", "second__snapshot", "first__run", "second__run")
    comparison = rows.get(pk=comparison_id)
    return compared(comparison.first, comparison.second)


def _run_child(command: str, folder: Path, watch: JobWatch, *, size: str, patience: Patience) -> int:
    """Run the child; where another process holds the folder, wait for it to leave and start again."""
    with one_gpu(Path(settings.GPU_LOCK_DIR), gpu_numbers()) as gpu:
        env = environment(threads=queries.threads_for(size), gpu=gpu)
        while True:
            code = supervise(command, folder, watch, env=env, patience=patience)
            if code != Exit.LOCKED:
                return code
            _wait_for_owner(watch, LOCKED_WAIT_SECONDS, patience)


def _wait_for_owner(watch: JobWatch, seconds: float, patience: Patience) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        try:
            watch.check()
        except StopChild as order:
            raise order.then from None
        sleep(patience.poll)


def raise_for(code: int, failure: Mapping[str, Any] | None) -> None:
    """Turn an exit code into an error with a code and a cure; 0 is none. Codes of a signal mean: resume."""
    if code == Exit.FINISHED:
        return
    detail: dict[str, Any] = {"exit_code": code}
    if failure:
        detail |= {"code": failure.get("code"), "text": failure.get("text")}
    if code < 0 or code > 128:
        raise errors.ChildKilled(signal=-code if code < 0 else code - 128, **detail)
    raise _ERRORS.get(code, errors.ChildFailed)(**detail)
