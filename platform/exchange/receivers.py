"""What this floor does when a lower one speaks."""

from typing import Any

from django.db.models.signals import pre_delete

from accounts.models import Project
from exchange.models import Removal


def permit_removal(sender: type[Project], instance: Project, **kwargs: Any) -> None:
    """A project goes as a whole: its snapshots may go with it. Runs inside the transaction that deletes."""
    Removal.objects.get_or_create(project_id=instance.pk)


def connect() -> None:
    """Listen; a second call changes nothing."""
    pre_delete.connect(permit_removal, sender=Project, dispatch_uid="exchange.permit_removal")
