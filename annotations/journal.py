"""The journal of a reading: what led from the empty document to what it says now."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from annotations.errors import EditIdReused
from annotations.lexicon import empty_document
from annotations.models import Reading, ReadingEdit
from annotations.rules import apply_patch, receipt_of
from core.clock import now
from core.ids import uuid7


def append(
    reading: Reading, *, document: dict[str, Any], patch: list[Any], actor: User | None, edit_id: UUID | None = None
) -> ReadingEdit:
    """Write one line; `document` (valid) is what the patch makes of the reading. The caller holds and saves the row.

    Raises EditIdReused.
    """
    receipt = receipt_of(document)
    try:
        with transaction.atomic():
            edit = ReadingEdit.objects.create(
                reading=reading,
                revision=reading.revision + 1,
                edit_id=edit_id or uuid7(),
                patch=patch,
                actor=actor,
                at=now(),
                findings=receipt.findings,
                marks=receipt.marks,
                sha256=receipt.sha256,
            )
    except IntegrityError as error:
        # The row of this reading is locked, so only another reading can have taken the id in between.
        if edit_id is not None and ReadingEdit.objects.filter(edit_id=edit_id).exists():
            raise EditIdReused() from error
        raise
    reading.revision, reading.document = edit.revision, document
    return edit


def rewrite(reading: Reading, *, document: dict[str, Any], actor: User | None) -> ReadingEdit:
    """Write one line that replaces the whole document."""
    patch = [{"op": "replace", "path": "", "value": document}]
    return append(reading, document=document, patch=patch, actor=actor)


def replay(reading: Reading, *, to_revision: int | None = None) -> dict[str, Any]:
    """The document as the journal tells it, at a revision (default: the last)."""
    edits = ReadingEdit.objects.filter(reading=reading).order_by("revision")
    if to_revision is not None:
        edits = edits.filter(revision__lte=to_revision)
    document = empty_document()
    for patch in edits.values_list("patch", flat=True):
        document = apply_patch(document, patch)
    return document
