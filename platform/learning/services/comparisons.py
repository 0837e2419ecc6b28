"""Two versions told on the same patients: ordered once for a pair, computed in the background, kept."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.queries import require_role
from exchange.queries import ROLES, items_of
from jobs.services import submit
from learning import queries
from learning.errors import NotComparable
from learning.manifest import labelled_rows
from learning.models import Comparison, ModelVersion, Prediction
from ml.evaluation.comparison import compare
from ml.evaluation.reports.asked import Asked
from ml.runs.records import to_dict

REPLICATES = 1000
SPLITS = ("val", "test", "audit")


def order_comparison(first: ModelVersion, second: ModelVersion, *, by: User) -> Comparison:
    """The comparison of two versions of one project and task; its job is submitted where there is none yet.

    Raises RoleMissing, NotComparable.
    """
    require_role(by, first.project, *ROLES)
    if first.pk == second.pk or (first.project_id, first.task) != (second.project_id, second.task):
        raise NotComparable(first=str(first.pk), second=str(second.pk))
    with transaction.atomic():
        found, made = Comparison.objects.get_or_create(
            first=first, second=second, defaults={"project": first.project, "created_by": by}
        )
        if made:
            job = submit(
                "learning.compare",
                {"comparison_id": str(found.pk)},
                actor=by,
                project=first.project,
                key=f"compare:{found.pk}",
                title=f"Compare models {first.number} and {second.number}",
                link=f"/models/{first.pk}/compare/{second.pk}",
            )
            Comparison.objects.filter(pk=found.pk).update(job_id=job.pk)
            found.job_id = job.pk
    return found


def compute_comparison(comparison_id: UUID | str) -> Comparison:
    """Compare and keep what came of it; a second time it is there already."""
    rows = Comparison.objects.select_related("first__snapshot", "second__snapshot", "first__run", "second__run")
    comparison = rows.get(pk=comparison_id)
    if comparison.document is not None:
        return comparison
    first, second = comparison.first, comparison.second
    # Labels may have been amended between the two snapshots: the later one is the truth for both.
    truth = max((first, second), key=lambda version: version.snapshot.number)
    manifest = [to_dict(row) for row in labelled_rows(items_of(truth.snapshot))]
    known = {(str(exam), split) for exam, split in _exams_of(first)} & {(str(e), s) for e, s in _exams_of(second)}
    shared = [row for row in manifest if (row["exam_id"], row["split"]) in known]
    found = compare(_asked(first, shared), _asked(second, shared), first.task)
    comparison.document = {
        "rows": found.rows,
        "patients": dict(found.patients),
        "truth_snapshot": truth.snapshot.number,
        "first": {"curves": found.first.curves},
        "second": {"curves": found.second.curves},
    }
    comparison.save(update_fields=["document"])
    return comparison


def _exams_of(version: ModelVersion) -> Iterator[tuple[UUID, str]]:
    return version.snapshot.items.values_list("exam_id", "split").iterator()


def _asked(version: ModelVersion, manifest: list[dict[str, Any]]) -> Asked:
    spec = _json(queries.model_folder(version) / "spec.json")
    predictions = Prediction.objects.filter(version=version, split__in=SPLITS).values_list("rows", flat=True)
    return Asked(
        predictions=[row for rows in predictions.iterator(chunk_size=500) for row in rows],
        manifest=manifest,
        splits=SPLITS,
        findings=tuple(spec.get("findings") or version.run.findings),
        target=spec.get("target"),
        labels=tuple(spec.get("labels") or ()),
        replicates=REPLICATES,
        run_dir=queries.run_folder(version.run_id),
        pixels_root=Path(settings.STORE_DIR),
    )


def differences(first: ModelVersion, second: ModelVersion) -> list[dict[str, Any]]:
    """What was set otherwise: `name`, `first`, `second`; settings of the method by their own names."""
    a, b = _settings(first), _settings(second)
    return [
        {"name": name, "first": a.get(name), "second": b.get(name)}
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def _settings(version: ModelVersion) -> dict[str, Any]:
    """What a version was made with, flat; the config as it was settled where its folder is on this machine."""
    config = _json(queries.model_folder(version) / "spec.json").get("config") or version.run.config
    init = version.run.init
    return {
        "method": version.method,
        "size": version.size,
        "seed": version.seed,
        "snapshot": version.snapshot.number,
        "findings": version.run.findings,
        "begins with": None if init is None else f"model {init.number}",
        "code": version.code_version,
        **{f"config.{name}": value for name, value in config.items()},
    }


def _json(path: Path) -> Mapping[str, Any]:
    """A folder that is not on this machine says nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
