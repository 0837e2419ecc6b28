"""Where the loop of a project stands: images, read, snapshot, run, model, round; and what needs a person."""

from typing import Any

from accounts.models import Project, Role, User
from accounts.queries import role_of
from annotations.models import Finding, Purpose, Reading
from annotations.queries import counts as reading_counts
from archive.models import Admission, Image, IngestItem
from exchange.models import Snapshot
from jobs.models import JobState
from learning import queries
from learning.models import Run

_RUNNING = (JobState.QUEUED, JobState.RUNNING)


def summary(project: Project, user: User) -> dict[str, Any]:
    """The strip of the home page. Counts only: no score and no label of a single exam."""
    latest = Snapshot.objects.filter(project=project, state=Snapshot.State.FROZEN).order_by("-number").first()
    stations: dict[str, Any] = {
        "images": _images(project),
        "read": _read(project),
        "snapshot": _snapshot(project, latest),
        "run": _run(project),
        "model": {
            "promoted": [
                {"task": v.task, "id": v.pk, "number": v.number, "promoted_at": v.promoted_at}
                for v in queries.promoted(project)
            ]
        },
        "round": _round(project),
    }
    return {**stations, "needs": _needs(stations, role_of(user, project))}


def _images(project: Project) -> dict[str, int]:
    exams = Admission.objects.filter(project=project)
    return {
        "exams": exams.count(),
        "images": Image.objects.filter(exam__in=exams.values("exam_id")).count(),
        "rejected": IngestItem.objects.filter(ingest__project=project, state="rejected").count(),
    }


def _read(project: Project) -> dict[str, int]:
    counts = reading_counts(project)
    return {"complete": counts["complete"], "wanted": counts["wanted"], "waiting": counts["waiting"]}


def _snapshot(project: Project, latest: Snapshot | None) -> dict[str, Any]:
    fresh = Reading.objects.filter(project=project, purpose=Purpose.PRIMARY, completed_revision__isnull=False)
    if latest is not None and latest.frozen_at is not None:
        fresh = fresh.filter(completed_at__gt=latest.frozen_at)
    shown = {"id": latest.pk, "number": latest.number, "frozen_at": latest.frozen_at} if latest else None
    return {
        "latest": shown,
        "new_exams": fresh.values("exam_id").distinct().count(),
        "new_findings": Finding.objects.filter(reading__in=fresh).count(),
    }


def _run(project: Project) -> dict[str, Any]:
    runs = Run.objects.select_related("job").filter(project=project)
    latest = runs.order_by("-number").first()
    return {
        "running": runs.filter(job__state__in=_RUNNING).count(),
        "done": runs.filter(job__state=JobState.DONE).count(),
        "latest": {"id": latest.pk, "number": latest.number, "state": latest.state} if latest else None,
    }


def _round(project: Project) -> dict[str, Any]:
    latest = queries.latest_round(project)
    if latest is None:
        return {"latest": None, "ranked": 0}
    read, exams = queries.read_of(latest)
    shown = {"id": latest.pk, "number": latest.number, "state": latest.state, "strategy": latest.strategy, "read": read,
             "exams": exams, "published_at": latest.published_at}  # fmt: skip
    return {"latest": shown, "ranked": exams}


def _needs(stations: dict[str, Any], role: Role | None) -> list[dict[str, str]]:
    """What waits for this person, the most urgent first."""
    needs = []
    if stations["read"]["waiting"] and role in (Role.READER, Role.ADMIN):
        needs.append({"what": "read", "text": f"{stations['read']['waiting']} exams wait to be read.", "link": "/read"})
    if role != Role.ADMIN:
        return needs
    if not stations["images"]["exams"]:
        needs.append({"what": "images", "text": "There are no exams yet.", "link": "/import"})
    elif stations["snapshot"]["new_exams"]:
        new = stations["snapshot"]["new_exams"]
        needs.append(
            {"what": "snapshot", "text": f"{new} exams were read since the last snapshot.", "link": "/snapshots"}
        )
    if stations["snapshot"]["latest"] and not stations["run"]["latest"]:
        needs.append({"what": "run", "text": "A snapshot is frozen and nothing has been trained.", "link": "/runs"})
    if stations["run"]["done"] and not stations["model"]["promoted"]:
        needs.append({"what": "model", "text": "A model is ready and none is promoted.", "link": "/models"})
    return needs
