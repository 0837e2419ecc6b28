"""Scores: what a promoted version says of exams that nobody has read yet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from core.audit import record
from jobs.models import Job
from jobs.services import submit
from learning import queries
from learning.errors import ResultUnreadable
from learning.manifest import pool_rows
from learning.models import ModelVersion, Score
from learning.rules import finite_score
from learning.services.explanations import store_embeddings, store_explanations
from learning.services.predictions import store_predictions
from learning.services.runs import EXPLAINED_EXAMS, bring_model
from ml.runs.manifest import write_manifest
from ml.runs.request import Compute, OutputOptions, Request, write_request
from ml.runs.result import read_result

_CHUNK = 1000


def write_score_folder(version: ModelVersion, job_id: UUID) -> Path | None:
    """Write the folder in which a version scores what it has not scored yet; None where there is nothing to score."""
    folder = queries.run_folder(job_id)
    if (folder / "request.json").exists():
        return folder
    exams = queries.unscored(version)
    if not exams:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    rows = pool_rows(queries.pool_items(version.project, exams))
    if not rows:
        return None
    write_manifest(folder, rows, pixels_root=settings.STORE_DIR)
    request = Request(
        run_id=str(job_id),
        command="score",
        method=version.method,
        size=version.size,
        task=version.task,
        findings=tuple(version.run.findings),
        seed=version.seed,
        config=version.run.config,
        pixels={"cache_dir": str(queries.pixel_cache())},
        init=bring_model(version, folder),
        compute=Compute(threads=queries.threads_for(version.size)),
        output=OutputOptions(explanations=EXPLAINED_EXAMS),
    )
    write_request(folder, request)
    return folder


def import_scores(version: ModelVersion, folder: Path) -> int:
    """Store scores and predictions of a finished folder; what is there already stays. Raises ResultUnreadable."""
    if read_result(folder) is None:
        raise ResultUnreadable(version=str(version.pk))
    rows = list(_rows(folder / "scores.jsonl"))
    with transaction.atomic():
        Score.objects.bulk_create(
            (
                Score(
                    version=version,
                    exam_id=row["exam_id"],
                    part=row["part"],
                    value=finite_score(row["value"]),
                    kind=row["kind"],
                    images=row.get("images", {}),
                )
                for row in rows
            ),
            batch_size=_CHUNK,
            ignore_conflicts=True,
        )
        store_predictions(version, folder / "predictions.jsonl")
        store_explanations(version, folder)
        store_embeddings(version, folder)
    return len(rows)


def scoring_done(version: ModelVersion, *, job: Job) -> Job:
    """The scores of a version are stored: submit the ranking, once for this scoring."""
    with transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk, scoring_job_id=job.pk).update(scoring_job_id=None)
        record(job.created_by, "model.scored", target=version)
        return submit_ranking(version.project_id, after=job)


def scoring_gone(job_id: UUID) -> None:
    """A scoring ended without scores (failed, cancelled): nothing waits for it any longer."""
    ModelVersion.objects.filter(scoring_job_id=job_id).update(scoring_job_id=None)


def submit_ranking(project_id: UUID, *, after: Job) -> Job:
    """Submit the job that ranks what is unread; the same scoring asks for it once."""
    return submit(
        "learning.rank",
        {"project_id": str(project_id)},
        actor=after.created_by,
        project=after.project,
        key=f"rank-after:{after.pk}:{after.attempts}",
        title="Rank the unread exams",
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)
    except (OSError, ValueError) as error:
        raise ResultUnreadable(file=path.name) from error
