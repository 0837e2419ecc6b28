"""What can go wrong with background work."""

from core.errors import Conflict, MammoError


class WorkerLost(MammoError):
    """The worker was lost in the middle of this, several times."""

    code = "jobs.worker_lost"
    cure = "Look at the log of the workers (out of memory is the usual cause) and press Retry."


class Unexpected(MammoError):
    """The job met an error that nobody expected."""

    code = "jobs.unexpected"
    cure = "Press Retry; if it fails again, give the job's id and the end of its log to the administrator."


class RetryRefused(Conflict):
    """Done again, this would fail in the same way."""

    code = "jobs.retry_refused"
    cure = "Order it anew, with what its error names changed."


class NotRunning(Conflict):
    """This job has ended already."""

    code = "jobs.ended"
    cure = "Load the page again to see how it ended."
