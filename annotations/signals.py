"""What annotations tells the floors above. Each is sent after the transaction that made it true."""

from django.dispatch import Signal

#: A reading was completed, also again after an amendment. Arguments: reading_id, project_id, exam_id (UUID).
reading_completed = Signal()
#: A ranking became the current one. Arguments: project_id, order_id (UUID).
order_published = Signal()
