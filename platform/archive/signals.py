"""What the archive tells the floors above."""

from django.dispatch import Signal

#: Exams of a project can be read: admitted, ingest closed, images derived. Arguments: project_id (UUID), exam_ids
#: (list of UUID). Sent after the commit; it may come again for the same exams.
exams_admitted = Signal()

#: An exam that was there before has got another image. Argument: exam_id (UUID). Sent after the commit.
exam_changed = Signal()
