"""What jobs tell the floors above."""

from django.dispatch import Signal

#: A job has ended. Arguments: job_id (UUID), state (JobState). Sent inside the transaction that ends it.
job_ended = Signal()
