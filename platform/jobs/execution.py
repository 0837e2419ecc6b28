"""One delivery of a job: take it, run its handler, write how it ended."""

import logging
import os
import socket
import threading
import traceback
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from core.errors import MammoError
from jobs import services
from jobs.context import LOG_TAIL_CHARACTERS, Cancelled, GiveBack, JobContext, LeaseGone
from jobs.errors import Unexpected
from jobs.kinds import KINDS

log = logging.getLogger("mammoloop.jobs")
BEAT_SECONDS = 15
#: The worker's main process writes its pid here before it forks; its children look for the stop file of that name.
WORKER_VARIABLE = "MAMMOLOOP_WORKER_PID"


def stop_file(pid: int | str) -> Path:
    """The file by which a worker's main process tells its children that it is going down."""
    return Path(settings.VAR_DIR) / "workers" / f"{pid}.stopping"


def run_job(job_id: UUID) -> None:
    """Run a job if it is still there to be taken. Never raises: how it ended stands in the table."""
    worker = os.environ.get(WORKER_VARIABLE, "")
    taken = services.take(job_id, worker=f"{socket.gethostname()}:{os.getpid()}")
    if taken is None:
        return
    job, token = taken
    context = JobContext(job, token, job.attempts, stop_file(worker) if worker else None)
    with structlog.contextvars.bound_contextvars(job_id=str(job.pk), kind=job.kind), _Heart(job.pk, token):
        _run(context)


def _run(context: JobContext) -> None:
    job, token = context.job, context.token
    try:
        result = KINDS[job.kind].run(context, **job.params)
        services.finish(job.pk, token=token, result=result, message=context.conclusion)
    except Cancelled:
        services.end_cancelled(job.pk, token=token)
    except GiveBack:
        services.give_back(job.pk, token=token)
    except LeaseGone:
        log.warning("left a job that another worker has")
    except MammoError as error:
        log.warning("job failed", extra={"code": error.code})
        services.fail(job.pk, token=token, error=error, log_tail=job.log_tail)
    except Exception as error:
        log.exception("job failed unexpectedly")
        tail = (job.log_tail + _frames(error))[-LOG_TAIL_CHARACTERS:]
        services.fail(job.pk, token=token, error=Unexpected(kind=type(error).__name__), log_tail=tail)


def _frames(error: BaseException) -> str:
    """Where it happened, without the message, which could hold what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames[-12:]]
    return "\n".join([f"{type(error).__name__} at", *lines]) + "\n"


class _Heart:
    """Renews the lease from a thread, on a connection of its own, while the handler is busy."""

    def __init__(self, job_id: UUID, token: UUID) -> None:
        self._job_id, self._token = job_id, token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                services.extend_lease(self._job_id, token=self._token)
            except Exception:  # noqa: BLE001 - a database that is down for a moment must not end the heart
                log.warning("heartbeat failed")
            finally:
                connection.close()
