"""All writes of this floor: ordering and freezing snapshots, ordering and writing exports."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Project, Role, User
from accounts.queries import require_role
from core.audit import record
from core.clock import now
from core.errors import Invalid
from core.moves import moved
from core.numbers import numbered
from exchange import queries
from exchange.errors import ConsensusNeeded, NothingToFreeze, SnapshotChanged, SnapshotNotFrozen
from exchange.exporters import FORMATS
from exchange.exporters.package import write_archive
from exchange.models import Export, Snapshot, SnapshotItem
from exchange.rules import canonical, counts_of, sha256_of
from exchange.sources import sources_of
from jobs.services import submit

Progress = Callable[[int, int | None, str], None]
_CHUNK = 500


def dry_run(project: Project, *, references: bool, by: User) -> dict[str, Any]:
    """What a snapshot taken now would hold, and what stands in its way; nothing is written."""
    require_role(by, project, *queries.ROLES)
    unsettled = queries.exams_without_consensus(project, references=references)
    counts = {} if unsettled else counts_of(queries.items_now(project, references=references))
    return {"counts": counts or counts_of([]), "without_consensus": unsettled}


def order_snapshot(project: Project, *, references: bool, note: str, by: User) -> Snapshot:
    """Number a snapshot and submit the job that freezes it. Raises ConsensusNeeded, NothingToFreeze, RoleMissing."""
    require_role(by, project, Role.ADMIN)
    unsettled = queries.exams_without_consensus(project, references=references)
    if unsettled:
        raise ConsensusNeeded(exams=unsettled[:50], count=len(unsettled))
    if next(iter(queries.items_now(project, references=references)), None) is None:
        raise NothingToFreeze()
    with transaction.atomic():
        snapshot = numbered(
            Snapshot, within={"project": project}, policy={"references": references}, note=note, created_by=by
        )
        job = submit(
            "exchange.freeze_snapshot",
            {"snapshot_id": str(snapshot.pk)},
            actor=by,
            project=project,
            key=f"freeze:{snapshot.pk}",
            title=f"Snapshot v{snapshot.number}",
        )
        snapshot.job_id = job.pk
        snapshot.save(update_fields=["job_id"])
        record(by, "snapshot.ordered", target=snapshot, references=references)
    return snapshot


def freeze_snapshot(snapshot_id: UUID | str, *, progress: Progress | None = None) -> Snapshot:
    """Copy the labels as they are now, hash them, freeze. A frozen one is returned as it is.

    The items are written in short transactions, so that readers can go on saving meanwhile; the last one freezes. A
    second delivery of the job begins anew. Raises NothingToFreeze, ConsensusNeeded.
    """
    snapshot = Snapshot.objects.select_related("project").get(pk=snapshot_id)
    if snapshot.state == Snapshot.State.FROZEN:
        return snapshot
    SnapshotItem.objects.filter(snapshot=snapshot).delete()
    sources = _copy_items(snapshot, progress)
    if not sources:
        raise NothingToFreeze()
    snapshot.counts = counts_of(queries.items_of(snapshot))
    snapshot.sources = sources_of(sources)
    snapshot.sha256 = queries.hash_now(snapshot)
    snapshot.state = moved(snapshot.state, Snapshot.State.FROZEN, Snapshot.MOVES)
    snapshot.frozen_at = now()
    with transaction.atomic():
        snapshot.save(update_fields=["counts", "sources", "sha256", "state", "frozen_at"])
        record(snapshot.created_by, "snapshot.frozen", target=snapshot, sha256=snapshot.sha256)
    return snapshot


def _copy_items(snapshot: Snapshot, progress: Progress | None) -> set[str]:
    """Write the items chunk by chunk; the sources that their exams came from."""
    sources: set[str] = set()
    items = enumerate(queries.items_now(snapshot.project, references=snapshot.policy["references"]))
    while chunk := list(islice(items, _CHUNK)):
        SnapshotItem.objects.bulk_create([_row(snapshot, position, item) for position, item in chunk])
        sources.update(item["exam"]["source"] for _, item in chunk)
        if progress:
            progress(chunk[-1][0] + 1, None, f"{chunk[-1][0] + 1} exams")
    return sources


def _row(snapshot: Snapshot, position: int, item: dict[str, Any]) -> SnapshotItem:
    body = canonical(item)
    return SnapshotItem(
        snapshot=snapshot,
        position=position,
        exam_id=item["exam"]["id"],
        reading_id=item["reading"]["id"],
        revision=item["reading"]["revision"],
        split=item["split"],
        body=body,
        sha256=sha256_of(body),
    )


def order_export(snapshot: Snapshot, *, format_name: str, by: User) -> Export:
    """Order a file of a snapshot; the same order again gives the same export. Raises SnapshotNotFrozen."""
    require_role(by, snapshot.project_id, *queries.ROLES)
    if format_name not in FORMATS:
        raise Invalid("There is no such format.", format=format_name, known=sorted(FORMATS))
    if snapshot.state != Snapshot.State.FROZEN:
        raise SnapshotNotFrozen(snapshot=str(snapshot.pk))
    with transaction.atomic():
        export, _ = Export.objects.get_or_create(snapshot=snapshot, format=format_name, defaults={"created_by": by})
        if export.state == Export.State.DONE:
            if queries.export_path(export).exists():
                return export
            export.state = moved(export.state, Export.State.WAITING, Export.MOVES)
        job = submit(
            "exchange.write_export",
            {"export_id": str(export.pk)},
            actor=by,
            project=snapshot.project,
            title=f"Export v{snapshot.number} as {format_name.upper()}",
        )
        export.job_id = job.pk
        export.save(update_fields=["state", "job_id"])
        record(by, "export.ordered", target=export, project_id=snapshot.project_id, format=format_name)
    return export


def write_export(export_id: UUID | str) -> Export:
    """Write the archive of an export, if it is not there yet. Raises SnapshotChanged where labels lost their hash."""
    export = Export.objects.select_related("snapshot__project").get(pk=export_id)
    target = queries.export_path(export)
    if export.state == Export.State.DONE and target.exists():
        return export
    snapshot = export.snapshot
    if queries.hash_now(snapshot) != snapshot.sha256:
        raise SnapshotChanged(snapshot=str(snapshot.pk))
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{export.pk}-", dir=target.parent))
    try:
        (work / "files").mkdir()
        write_archive(
            queries.head_of(snapshot), export.format, lambda: queries.items_of(snapshot), work / "files", work / "a.zip"
        )
        digest, size = _sha256_and_size(work / "a.zip")
        (work / "a.zip").replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with transaction.atomic():
        if export.state == Export.State.WAITING:
            export.state = moved(export.state, Export.State.DONE, Export.MOVES)
        export.sha256, export.bytes, export.finished_at = digest, size, now()
        export.save(update_fields=["state", "sha256", "bytes", "finished_at"])
    return export


def _sha256_and_size(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
