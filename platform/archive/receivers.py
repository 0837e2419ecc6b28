"""What this floor does when a lower one speaks."""

from typing import Any

from django.db.models.signals import post_delete

from accounts.models import Project
from archive import services


def remove_unheld(sender: type[Project], **kwargs: Any) -> None:
    """A project went: what no other project holds goes with it. Runs inside the transaction that deletes."""
    services.remove_unheld_exams()


def connect() -> None:
    """Listen; a second call changes nothing."""
    post_delete.connect(remove_unheld, sender=Project, dispatch_uid="archive.remove_unheld")
