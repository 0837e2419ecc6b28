"""What accounts tell the floors above."""

from django.dispatch import Signal

#: A demo project is about to be removed. Argument: project_id (UUID). Sent inside the transaction, before the rows go.
project_deleted = Signal()
