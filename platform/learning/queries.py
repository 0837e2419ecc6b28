"""What can be read about runs, versions, scores and rounds."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import Membership, Project, Role, User
from annotations.queries import unfinished_by, unread_pool
from archive.models import Exam
from archive.queries import hung_images
from exchange.items import image_of
from exchange.models import SnapshotItem
from exchange.queries import ROLES
from jobs.models import Job, JobState
from learning.errors import ReadsBlind
from learning.models import ModelVersion, Round, Run, RunEvent, Score, WeightsFile
from learning.ranking import ranking_document
from learning.rules import refusal, weights_of
from ml.runs.catalogue import read_catalogue
from ml.runs.weight_names import family_in

_CHUNK = 200
_PEAKS = ("peak_ram_mb", "peak_gpu_mb")
_Peaks = dict[str, int | None]


# --- who sees what ----------------------------------------------------------------------------------------------
def _projects(user: User, *roles: Role) -> QuerySet[Project]:
    rows = Project.objects.all()
    if user.is_site_admin:
        return rows
    return rows.filter(pk__in=Membership.objects.filter(user=user, role__in=roles).values("project_id"))


def runs_visible_to(user: User) -> QuerySet[Run]:
    """Runs of the projects that an account runs or studies."""
    rows = Run.objects.select_related("job", "snapshot", "version", "init", "weights", "created_by")
    return rows.filter(project__in=_projects(user, *ROLES))


def weights_visible_to(user: User) -> QuerySet[WeightsFile]:
    """Weights of the projects that an account runs or studies."""
    return WeightsFile.objects.select_related("created_by").filter(project__in=_projects(user, *ROLES))


def versions_visible_to(user: User) -> QuerySet[ModelVersion]:
    """Model versions of the projects that an account runs or studies."""
    return ModelVersion.objects.select_related("run__init", "run__weights", "snapshot").filter(
        project__in=_projects(user, *ROLES)
    )


def versions_administered_by(user: User) -> QuerySet[ModelVersion]:
    """Versions whose predictions and scores an account may see: an administrator's, and nobody else's."""
    return ModelVersion.objects.filter(project__in=_projects(user, Role.ADMIN))


def versions_that_place(user: User, exam_id: UUID) -> QuerySet[ModelVersion]:
    """Versions that have an embedding of an exam, and so exams like it. Raises ReadsBlind."""
    require_not_reading(user, exam_id)
    return versions_administered_by(user).filter(embeddings__exam_id=exam_id)


def require_not_reading(user: User, exam_id: UUID) -> None:
    """What models say of an exam is hidden from an account whose own reading of it goes on. Raises ReadsBlind."""
    if unfinished_by(user, exam_id).exists():
        raise ReadsBlind()


def rounds_visible_to(user: User) -> QuerySet[Round]:
    """Rounds with their scores and reasons: for administrators. Readers read blind."""
    return Round.objects.filter(project__in=_projects(user, Role.ADMIN))


# --- methods ----------------------------------------------------------------------------------------------------
def method_named(name: str) -> dict[str, Any] | None:
    """A method of the catalogue."""
    return next((method for method in read_catalogue() if method["name"] == name), None)


def methods_for(counts: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Every method and each task that it serves, with whether it may learn it from a snapshot of these counts.

    `refusal` says why a task is not allowed. A method is allowed with any of its tasks; its own refusal is that of the
    main one.
    """
    answers = []
    for method in read_catalogue():
        serves = [{**served, "refusal": _why_not(method, counts, served["task"])} for served in method["serves"]]
        allowed = any(served["refusal"] is None for served in serves)
        answers.append(
            {**method, "serves": serves, "allowed": allowed, "refusal": None if allowed else serves[0]["refusal"]}
        )
    return answers


def _why_not(method: dict[str, Any], counts: dict[str, Any] | None, task: str) -> str | None:
    return "Freeze a snapshot first." if counts is None else refusal(method, counts, task=task)


def costs_here(user: User, project_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """By method, what its finished runs of a project took: time (median) and memory (most), by size and device.

    Runs that went on after an end are left out: what their job tells is the time of the last part alone.
    """
    runs = runs_visible_to(user).filter(project=project_id, job__state=JobState.DONE, job__attempts=1)
    told = RunEvent.objects.filter(run__in=runs.order_by().values("pk"), type="started")
    devices = dict(told.values_list("run_id", "body__device"))
    alike: dict[tuple[str, str, str | None], list[tuple[float, _Peaks]]] = {}
    for run in runs:
        if run.job and run.job.started_at and run.job.finished_at:
            took = (run.job.finished_at - run.job.started_at).total_seconds()
            alike.setdefault((run.method, run.size, devices.get(run.pk)), []).append((took, _peaks_of(run.pk)))
    costs: dict[str, list[dict[str, Any]]] = {}
    for (method, size, device), own in alike.items():
        peaks = {name: max((mb for _, peak in own if (mb := peak[name])), default=None) for name in _PEAKS}
        cost = {"size": size, "device": device, "runs": len(own), "median_seconds": median(took for took, _ in own)}
        costs.setdefault(method, []).append({**cost, **peaks})
    return costs


@lru_cache(maxsize=4096)  # the folder of a finished run stays as it is
def _peaks_of(run_id: UUID) -> _Peaks:
    """The most memory (MiB) of a finished run by kind, as its environment.json has it; None where it has none."""
    environment = _environment_of(run_id)
    found = {name: environment.get(name) for name in _PEAKS}
    return {name: value if isinstance(value, int) else None for name, value in found.items()}


# --- files ------------------------------------------------------------------------------------------------------
def run_folder(run_id: UUID | str) -> Path:
    """The folder of a run, or of a scoring by its job's id; named by our own ids alone."""
    return Path(settings.RUNS_DIR) / str(UUID(str(run_id)))


def weights_path(weights: WeightsFile) -> Path:
    """Where a file of weights lies."""
    return Path(settings.WEIGHTS_DIR) / str(weights.pk)


@lru_cache(maxsize=4096)  # a file stays as it came
def weights_family(weights_id: UUID) -> str | None:
    """The family of networks that a file of weights is of, by its names; None for one that is not of ours, or gone."""
    path = Path(settings.WEIGHTS_DIR) / str(weights_id)
    family = family_in(path) if path.is_file() else None
    return family.name if family else None


def model_folder(version: ModelVersion) -> Path:
    """Where a version's model lies."""
    return run_folder(version.run_id) / "model"


def model_spec(version: ModelVersion) -> dict[str, Any]:
    """model/spec.json; empty where the folder is not on this machine."""
    try:
        found = json.loads((model_folder(version) / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def run_environment(run: Run) -> dict[str, Any]:
    """environment.json: machine, packages, seconds, how each stage began; empty where the folder has none (yet)."""
    return _environment_of(run.pk)


def _environment_of(run_id: UUID) -> dict[str, Any]:
    try:
        found = json.loads((run_folder(run_id) / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def pixel_cache() -> Path:
    """Prepared pixels, shared by all runs; it only saves time."""
    return Path(settings.CACHE_DIR) / "pixels"


def threads_for(size: str) -> int:
    """Threads of a training on a CPU: two trainings side by side with one thread each beat one with two."""
    return 1 if size == "tiny" else 2


# --- the pool ---------------------------------------------------------------------------------------------------
def promoted(project: Project) -> list[ModelVersion]:
    """The versions that rank: one per task."""
    rows = ModelVersion.objects.select_related("run", "project").filter(project=project)
    return list(rows.filter(state=ModelVersion.State.PROMOTED).order_by("task"))


def being_scored(project: Project) -> list[str]:
    """Promoted versions whose scoring has not ended."""
    rows = ModelVersion.objects.filter(project=project, state=ModelVersion.State.PROMOTED)
    return [str(pk) for pk in rows.exclude(scoring_job_id=None).values_list("pk", flat=True)]


def later_ranking(project: Project, job: Job) -> UUID | None:
    """A ranking of the same project that was ordered after this one and has not begun."""
    rows = Job.objects.filter(project=project, kind=job.kind, state=JobState.QUEUED, pk__gt=job.pk)
    return rows.values_list("pk", flat=True).first()


def unscored(version: ModelVersion) -> list[UUID]:
    """Unread training exams that a version has said nothing of yet."""
    known = set(Score.objects.filter(version=version).values_list("exam_id", flat=True))
    return [exam_id for exam_id in unread_pool(version.project) if exam_id not in known]


def pool_items(project: Project, exam_ids: Sequence[UUID]) -> Iterator[dict[str, Any]]:
    """Exams without labels, in the shape of a snapshot's item: `{exam, patient, images}`."""
    for start in range(0, len(exam_ids), _CHUNK):
        exams = Exam.objects.select_related("patient").filter(pk__in=exam_ids[start : start + _CHUNK])
        for exam in exams.order_by("pk"):
            yield {
                "exam": {"id": str(exam.pk), "source": exam.source, "age_years": exam.age_years},
                "patient": {"id": exam.patient.pseudonym},
                "images": [image_of(image) for image in hung_images(exam)],
            }


def ranking_input(project: Project) -> dict[str, Any]:
    """All that the next ranking depends on: the unread pool, the parts of the promoted versions, weights, seed."""
    versions = promoted(project)
    parts: dict[str, dict[str, float | None]] = {str(exam_id): {} for exam_id in unread_pool(project)}
    scores = Score.objects.filter(version__in=versions).values_list("exam_id", "part", "value")
    for exam_id, part, value in scores.iterator(chunk_size=5000):
        if str(exam_id) in parts:
            parts[str(exam_id)][part] = value
    return ranking_document(
        seed=project.seed,
        weights=weights_of(project.weights),
        versions=[
            {"id": str(v.pk), "number": v.number, "task": v.task, "model_sha256": v.model_sha256} for v in versions
        ],
        parts_by_exam=parts,
    )


def latest_round(project: Project) -> Round | None:
    """The newest published round."""
    rows = Round.objects.filter(project=project, published_at__isnull=False)
    return rows.order_by("-number").first()


def labels_of(exam_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The short names of exams."""
    return dict(Exam.objects.filter(pk__in=exam_ids).values_list("pk", "label"))


def read_of(round_: Round) -> tuple[int, int]:
    """How many exams of a round have been read since, and how many it asked for."""
    exams = list(round_.items.values_list("exam_id", flat=True))
    unread = set(unread_pool(round_.project))
    return sum(exam_id not in unread for exam_id in exams), len(exams)


def _id_in(word: Any) -> UUID | None:
    """An id of ours among the learner's words; what a run names otherwise is no row of ours."""
    try:
        return UUID(word)
    except (AttributeError, TypeError, ValueError):
        return None


def worst_with_images(version: ModelVersion) -> list[dict[str, Any]]:
    """The worst misses, as the page draws them: with their thumbnail, and the reading that the truth is of."""
    exams = {exam for row in version.worst if (exam := _id_in(row.get("exam_id"))) is not None}
    items = SnapshotItem.objects.filter(snapshot=version.snapshot_id, exam_id__in=exams)
    readings = {str(exam): str(reading) for exam, reading in items.values_list("exam_id", "reading_id")}
    return [
        {
            **row,
            "reading": readings.get(str(row.get("exam_id"))),
            **({"thumbnail_url": f"/api/v1/images/{row['image_id']}/thumbnail/"} if row.get("image_id") else {}),
        }
        for row in version.worst
    ]
