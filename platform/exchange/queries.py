"""What can be read about snapshots and exports."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import Membership, Project, Role, User
from accounts.queries import require_role
from annotations.models import Reading
from annotations.queries import readings_for_snapshot
from archive.models import Admission
from archive.queries import hung_images
from core.errors import Missing
from exchange.errors import ConsensusNeeded, SnapshotChanged
from exchange.exporters.package import Head
from exchange.items import item_of
from exchange.models import Export, Snapshot, SnapshotItem
from exchange.rules import reading_that_counts, sha256_of, snapshot_sha256

#: Labels of others are for those who run or study a project; a reader who saw them would not read blind.
ROLES = (Role.ADMIN, Role.RESEARCHER)
_CHUNK = 500


def visible_to(user: User) -> QuerySet[Snapshot]:
    """The snapshots that an account may see."""
    rows = Snapshot.objects.select_related("project")
    if user.is_site_admin:
        return rows
    return rows.filter(project__in=Membership.objects.filter(user=user, role__in=ROLES).values("project_id"))


def exports_visible_to(user: User) -> QuerySet[Export]:
    """The exports that an account may see and download."""
    return Export.objects.select_related("snapshot", "created_by").filter(snapshot__in=visible_to(user))


def snapshots_of(project_id: UUID | str, user: User) -> QuerySet[Snapshot]:
    """A project's snapshots. Raises Missing for a stranger, RoleMissing for a reader."""
    require_role(user, project_id, *ROLES)
    return Snapshot.objects.filter(project_id=project_id)


def readings_by_exam(project: Project, *, references: bool) -> Iterator[tuple[UUID, list[Reading]]]:
    """The complete readings that a policy looks at, in exam order."""
    readings = readings_for_snapshot(project, policy={"references": references})
    for exam_id, group in groupby(readings, key=lambda reading: reading.exam_id):
        yield exam_id, list(group)


def items_now(project: Project, *, references: bool) -> Iterator[dict[str, Any]]:
    """What a snapshot taken now would hold, exam by exam. Raises ConsensusNeeded at the first exam without one."""
    splits = dict(Admission.objects.filter(project=project).values_list("exam_id", "split"))
    for exam_id, readings in readings_by_exam(project, references=references):
        reading = reading_that_counts(readings, references=references)
        if reading is not None and exam_id in splits:
            yield _item(reading, splits[exam_id])


def _item(reading: Reading, split: str) -> dict[str, Any]:
    return item_of(
        exam=reading.exam,
        images=hung_images(reading.exam),
        split=split,
        reading=reading,
        document=reading.completed_document,
        revision=reading.completed_revision or 0,  # a complete reading has one
    )


def exams_without_consensus(project: Project, *, references: bool) -> list[str]:
    """Exams with more than one reading of the same rank."""
    found = []
    for exam_id, readings in readings_by_exam(project, references=references):
        try:
            reading_that_counts(readings, references=references)
        except ConsensusNeeded:
            found.append(str(exam_id))
    return found


def items_of(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The items of a snapshot in exam order, each parsed anew. Raises SnapshotChanged where one lost its hash."""
    for row in SnapshotItem.objects.filter(snapshot=snapshot).order_by("position").iterator(chunk_size=_CHUNK):
        if sha256_of(row.body) != row.sha256:
            raise SnapshotChanged(snapshot=str(snapshot.pk), position=row.position)
        yield json.loads(row.body)


def hash_now(snapshot: Snapshot) -> str:
    """The hash over the items as they are in the database now."""
    rows = SnapshotItem.objects.filter(snapshot=snapshot).order_by("position").values_list("exam_id", "sha256")
    return snapshot_sha256((str(exam_id), sha256) for exam_id, sha256 in rows.iterator(chunk_size=_CHUNK))


def head_of(snapshot: Snapshot) -> Head:
    """What an export says of its snapshot."""
    assert snapshot.frozen_at is not None
    return Head(
        id=str(snapshot.pk),
        number=snapshot.number,
        sha256=snapshot.sha256,
        frozen_at=snapshot.frozen_at.isoformat(timespec="seconds"),
        policy=snapshot.policy,
        counts=snapshot.counts,
        sources=snapshot.sources,
    )


def export_path(export: Export) -> Path:
    """Where the archive of an export lies; named by our own id alone."""
    return Path(settings.EXPORTS_DIR) / f"{export.pk}.zip"


def export_file_name(export: Export) -> str:
    """What a person sees in the folder of downloads."""
    return f"{export.snapshot.project.slug}-v{export.snapshot.number}-{export.format}.zip"


def frozen_or_missing(snapshot_id: UUID | str, user: User) -> Snapshot:
    """A snapshot that the account may use. Raises Missing."""
    found = visible_to(user).filter(pk=snapshot_id).first()
    if found is None:
        raise Missing()
    return found
