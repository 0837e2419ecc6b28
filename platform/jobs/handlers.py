"""What an app's `tasks.py` needs to say what a kind of job does.

A handler is a thin function. It may run more than once for one job (at least once delivery), so every effect is keyed
or idempotent. Its keyword arguments are the job's parameters; what it returns is the job's result.
"""

from jobs.context import Cancelled, GiveBack, JobContext, LeaseGone
from jobs.kinds import chore, handler

__all__ = ["Cancelled", "GiveBack", "JobContext", "LeaseGone", "chore", "handler"]
