"""What beat does for readings."""

from annotations import services
from jobs.handlers import chore


@chore("annotations.free_leases")
def free_leases() -> None:
    """Free what ran out although nobody asks for the next exam, so that the numbers on the pages are true."""
    services.free_expired()
