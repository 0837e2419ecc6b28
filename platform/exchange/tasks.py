"""The jobs of this floor: an id in, a service called."""

from typing import Any

from core.words import counted, size
from exchange import services
from jobs.handlers import JobContext, handler


@handler("exchange.freeze_snapshot", queue="cpu")
def freeze_snapshot(ctx: JobContext, *, snapshot_id: str) -> dict[str, Any]:
    """Freeze the labels of a project."""
    snapshot = services.freeze_snapshot(snapshot_id, progress=ctx.progress)
    ctx.conclude(f"Froze {counted(snapshot.counts['exams'], 'exam')} as v{snapshot.number}.")
    return {"snapshot": str(snapshot.pk), "sha256": snapshot.sha256, "exams": snapshot.counts["exams"]}


@handler("exchange.write_export", queue="io")
def write_export(ctx: JobContext, *, export_id: str) -> dict[str, Any]:
    """Write a snapshot in a format that others read."""
    ctx.check_cancelled()
    export = services.write_export(export_id)
    ctx.conclude(f"Wrote {size(export.bytes or 0)}.")
    return {"export": str(export.pk), "sha256": export.sha256, "bytes": export.bytes}
