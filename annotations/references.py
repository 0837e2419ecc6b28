"""Readings that came with a data set: nobody's, on no worklist, for administrators and researchers."""

from typing import Any

from django.db import transaction

from accounts.models import Project, User
from annotations import journal, queries
from annotations.lexicon import empty_document
from annotations.models import Purpose, Reading, ReadingState
from annotations.readings import sign
from annotations.rules import validate_document
from archive.models import Exam
from core.audit import record
from core.clock import now


@transaction.atomic
def store_reference_reading(
    *, project: Project, exam: Exam, source: str, document: dict[str, Any], by: User | None = None
) -> Reading:
    """Keep what a data set says of an exam; the same again changes nothing, something else is a new revision.

    `source` names the set (`dataset:mini-mias`). Raises what `validate_document` raises.
    """
    validate_document(document, queries.images_of(exam.pk))
    known = Reading.objects.select_for_update(of=("self",)).filter(
        project=project, exam=exam, source=source, purpose=Purpose.REFERENCE
    )
    reading = known.first() or _new(project, exam, source, by)
    if reading.completed_document == document:
        return reading
    journal.rewrite(reading, document=document, actor=by)
    reading.state = ReadingState.COMPLETE
    sign(reading)
    record(by, "reading.reference_stored", target=reading, source=source)
    return reading


def _new(project: Project, exam: Exam, source: str, by: User | None) -> Reading:
    # Made held and signed in the same transaction, so nobody ever sees it otherwise.
    return Reading.objects.create(
        project=project,
        exam=exam,
        reader=None,
        purpose=Purpose.REFERENCE,
        source=source,
        created_by=by,
        document=empty_document(),
        state=ReadingState.OPEN,
        lease_until=now(),
    )
