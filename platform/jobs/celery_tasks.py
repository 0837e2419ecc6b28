"""The only file of the floors that knows Celery: one task that runs a job, one for beat's chores."""

import os
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_init, worker_process_init, worker_shutdown, worker_shutting_down

from jobs import execution
from jobs.kinds import CHORES
from jobs.models import Job


@shared_task(name="jobs.run_job", acks_late=True, reject_on_worker_lost=True)
def run_job(job_id: str) -> None:
    """Run a job. Delivered twice, late or never: the table decides what happens."""
    execution.run_job(UUID(job_id))


@shared_task(name="jobs.beat", acks_late=False)
def beat(name: str) -> None:
    """Do one of the small things that come again and again."""
    CHORES[name]()


def deliver(job: Job) -> None:
    """Put a message for a job into its queue."""
    run_job.apply_async(args=(str(job.pk),), queue=job.queue, retry=False)


@worker_init.connect
def _announce(**kwargs: Any) -> None:
    """Before the pool forks: its children inherit the variable and know which stop file is theirs."""
    os.environ[execution.WORKER_VARIABLE] = str(os.getpid())
    execution.stop_file(os.getpid()).parent.mkdir(parents=True, exist_ok=True)
    execution.stop_file(os.getpid()).unlink(missing_ok=True)


@worker_shutting_down.connect
def _tell_children(**kwargs: Any) -> None:
    execution.stop_file(os.getpid()).touch()


@worker_shutdown.connect
def _forget(**kwargs: Any) -> None:
    execution.stop_file(os.getpid()).unlink(missing_ok=True)


@worker_process_init.connect
def _die_with_parent(**kwargs: Any) -> None:
    """A pool process must not outlive its worker: its lease would be renewed by nobody's order."""
    if os.uname().sysname != "Linux":
        return
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
