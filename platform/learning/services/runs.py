"""Runs: start one, keep what it says, write its folder, take in what it made."""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import Project, Role, User
from accounts.queries import require_role
from core.audit import record
from core.numbers import numbered
from exchange.errors import SnapshotNotFrozen
from exchange.models import Snapshot
from exchange.queries import items_of
from jobs.services import retry, submit
from learning import queries
from learning.errors import (
    ConfigRefused,
    InitRefused,
    MethodUnknown,
    ResultUnreadable,
    RetrainRefused,
)
from learning.manifest import labelled_rows
from learning.models import ModelVersion, Run, RunEvent, WeightsFile
from learning.rules import refusal, targets_of, tasks_of
from learning.services.explanations import store_embeddings, store_explanations
from learning.services.predictions import store_predictions
from learning.services.weights import bring_weights
from ml.runs import atomic
from ml.runs.manifest import write_manifest
from ml.runs.records import to_dict
from ml.runs.request import (
    Compute,
    EvaluationOptions,
    Init,
    OutputOptions,
    Request,
    Target,
    TargetKind,
    write_request,
)
from ml.runs.result import Result, read_result

#: Of so many exams a training or a scoring draws heat maps: those that a person looks at first.
EXPLAINED_EXAMS = 40
#: Resamples for intervals: enough for the page; the paper-grade 2000 where a run asks for it.
BOOTSTRAP = {"tiny": 500, "base": 2000, "large": 2000}


def start_run(
    project: Project,
    snapshot: Snapshot,
    *,
    method: str,
    size: str,
    by: User,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    init: ModelVersion | None = None,
    weights: WeightsFile | None = None,
    compute: Mapping[str, Any] | None = None,
    task: str | None = None,
    target: str = "",
) -> Run:
    """Number a training and submit its job; `task` is one of those that the method serves, its main one if not said.

    `target` is what the label is, where the task has several; not said, the method and the labels settle it.

    Raises RoleMissing, MethodUnknown, SnapshotNotFrozen, RetrainRefused, ConfigRefused, InitRefused.
    """
    require_role(by, project, Role.ADMIN)
    entry = queries.method_named(method)
    if entry is None:
        raise MethodUnknown(method=method)
    if snapshot.state != Snapshot.State.FROZEN:
        raise SnapshotNotFrozen(snapshot=str(snapshot.pk))
    task = task or entry["task"]
    if task not in tasks_of(entry):
        raise ConfigRefused("This method does not serve that task.", task=task, tasks=tasks_of(entry))
    if target and target not in (known := targets_of(entry, task)):
        raise ConfigRefused("This task has no such target.", target=target, targets=known)
    why_not = refusal(entry, snapshot.counts, task=task)
    if why_not:
        raise RetrainRefused(why_not, method=method, snapshot=str(snapshot.pk))
    if size not in entry["sizes"]:
        raise ConfigRefused("This method has no such size.", size=size, sizes=entry["sizes"])
    if init is not None and (init.project_id, init.method, init.size, init.task) != (project.pk, method, size, task):
        raise InitRefused(version=str(init.pk))
    if weights is not None and (init is not None or weights.project_id != project.pk):
        raise InitRefused("A run starts from one thing of its own project.", weights=str(weights.pk))
    with transaction.atomic():
        run = numbered(
            Run,
            within={"project": project},
            snapshot=snapshot,
            method=method,
            size=size,
            task=task,
            target=target,
            findings=entry["findings"],
            seed=seed,
            config=dict(config or {}),
            init=init,
            weights=weights,
            compute=dict(compute or {}),
            created_by=by,
        )
        run.job = submit(
            "learning.train",
            {"run_id": str(run.pk)},
            actor=by,
            project=project,
            key=f"train:{run.pk}",
            title=f"Run {run.number}: {method}, {size}",
            link=f"/runs/{run.pk}",
        )
        run.save(update_fields=["job"])
        record(by, "run.started", target=run, method=method, size=size, snapshot=str(snapshot.pk))
    return run


def resume(run: Run, *, by: User) -> Run:
    """Queue a run again that failed or was cancelled. Raises RoleMissing, RetryRefused, MoveRefused."""
    require_role(by, run.project_id, Role.ADMIN)
    assert run.job is not None
    run.job = retry(run.job, by=by)
    return run


def write_folder(run: Run) -> Path:
    """Write the run's folder, the request last; one that is there already stays as it is, so that it can resume."""
    folder = queries.run_folder(run.pk)
    if (folder / "request.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = labelled_rows(items_of(run.snapshot))
    write_manifest(
        folder,
        rows,
        pixels_root=settings.STORE_DIR,
        snapshot_id=str(run.snapshot_id),
        sources=run.snapshot.sources,
    )
    request = Request(
        run_id=str(run.pk),
        command="train",
        method=run.method,
        size=run.size,
        task=run.task,
        target=Target(kind=cast(TargetKind, run.target)) if run.target else None,
        findings=tuple(run.findings),
        seed=run.seed,
        config=run.config,
        pixels={"cache_dir": str(queries.pixel_cache())},
        init=_brought(run, folder),
        compute=Compute(threads=queries.threads_for(run.size), **run.compute),
        evaluation=EvaluationOptions(bootstrap=BOOTSTRAP.get(run.size, 2000)),
        output=OutputOptions(all_embeddings=True, explanations=EXPLAINED_EXAMS),
    )
    write_request(folder, request)
    Run.objects.filter(pk=run.pk).update(request=to_dict(request))
    return folder


def _brought(run: Run, folder: Path) -> Init:
    if run.init is not None:
        return bring_model(run.init, folder)
    return bring_weights(run.weights, folder) if run.weights is not None else Init()


def bring_model(version: ModelVersion, folder: Path) -> Init:
    """Copy a version's model into a run folder: a folder must be whole on any machine. Raises InitRefused."""
    source, target = queries.model_folder(version), folder / "init" / "model"
    if not source.is_dir():
        raise InitRefused("The model of that version is not on this machine.", version=str(version.pk))
    if not target.exists():
        shutil.rmtree(folder / "init", ignore_errors=True)
        shutil.copytree(source, folder / "init" / "model.part")
        (folder / "init" / "model.part").rename(target)
    weights = target / "weights.safetensors"
    digest = atomic.sha256_of(weights) if weights.exists() else None
    return Init(kind="model_dir", path="init/model", sha256=digest, version=str(version))


def store_events(run_id: UUID, events: Iterable[Mapping[str, Any]], *, attempt: int) -> int:
    """Keep what a training said; the same event twice is one row. The attempt that the last of them belongs to."""
    rows = []
    for event in events:
        if event.get("type") == "started":
            attempt = int(event.get("attempt") or attempt)
        rows.append(RunEvent(run_id=run_id, attempt=attempt, seq=event["seq"], type=event["type"], body=dict(event)))
    RunEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return attempt


def finished_result(run_id: UUID) -> Result | None:
    """The run's result, if its folder is complete and every file has its hash."""
    folder = queries.run_folder(run_id)
    return read_result(folder) if folder.is_dir() else None


def import_run(run: Run) -> ModelVersion:
    """Make the version of a finished run, with metrics, curves, worst misses and predictions; once.

    Raises ResultUnreadable where the folder does not hold what its result says.
    """
    known = ModelVersion.objects.filter(run=run).first()
    if known is not None:
        return known
    folder = queries.run_folder(run.pk)
    result = read_result(folder)
    if result is None:
        raise ResultUnreadable(run=str(run.pk))
    try:
        metrics = _json(folder / "metrics.json")
        environment = _json(folder / "environment.json")
    except (OSError, ValueError) as error:
        raise ResultUnreadable(run=str(run.pk), file=type(error).__name__) from error
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(exit_code=0)
        version = ModelVersion.objects.create(
            project=run.project,
            number=run.number,
            run=run,
            snapshot=run.snapshot,
            snapshot_sha256=run.snapshot.sha256,
            task=run.task,
            method=run.method,
            size=run.size,
            seed=run.seed,
            code_version=str(environment.get("code_version") or ""),
            model_sha256=result.files.get("model/weights.safetensors", ""),
            headline=result.best,
            metrics=metrics.get("metrics", []),
            curves=metrics.get("curves", {}),
            worst=metrics.get("worst", []),
            created_by=run.created_by,
        )
        store_predictions(version, folder / "predictions.jsonl")
        store_explanations(version, folder)
        store_embeddings(version, folder)
        record(run.created_by, "model.made", target=version, run=str(run.pk))
    return version


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("an object was expected")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def note_exit(run_id: UUID, code: int) -> None:
    """Keep how the child ended."""
    Run.objects.filter(pk=run_id).update(exit_code=code)
