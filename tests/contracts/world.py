"""One project with something of everything in it, made by the doors that people use, and the addresses to it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from accounts.models import Membership, Project, User
from accounts.services import issue_token
from annotations import services as annotations
from annotations.models import WorkItem
from archive import services as archive
from archive.models import Admission, Exam, Image, Ingest, IngestItem
from core.ids import uuid7
from exchange import services as exchange
from exchange.models import Export
from jobs.models import Job
from jobs.testing import run_queued
from learning.models import Comparison, ModelVersion, Prediction, WeightsFile
from learning.services import rounds, runs
from learning.services.weights import add_weights
from tests.contracts.test_api import endpoints, view_class
from tests.exchange import factories as exams
from tests.learning import factories as learning

#: Films that are read too: by themselves enough to learn from, wherever the split puts the patients of the ingest.
SPLITS = ("train", "train", "train", "train", "val", "test")
METHODS = ("get", "post", "put", "patch", "delete")
Named = dict[str, list[Any]]


def a_world(project: Project, ingest: Ingest, *, admin: User, reader: User) -> Named:
    """Exams of an ingest, read, frozen, exported, learned from, ranked: the ids of all by the noun they go under."""
    images = list(Image.objects.select_related("exam").filter(exam__admissions__project=project))
    for number, split in enumerate(SPLITS):
        exams.an_exam(project, f"film-{number}", split=split)
    readings = [_read(project, reader) for _ in range(WorkItem.objects.filter(project=project).count())]
    exams.an_exam(project, "unread")
    snapshot = exchange.order_snapshot(project, references=False, note="", by=admin)
    run_queued()
    snapshot.refresh_from_db()
    for name in ("coco", "csv"):
        exchange.order_export(snapshot, format_name=name, by=admin)
    run_queued()
    version = _trained(snapshot, admin)
    job = Job.objects.create(kind="learning.rank", queue="cpu", project=project, created_by=admin, params={})
    drawn = rounds.draw_round(project, job=job)
    remote = archive.create_archive(name="PACS", url="http://127.0.0.1:9/dicom-web", by=admin)
    token, _ = issue_token(user=reader, by=admin)
    return {
        "projects": [project.pk], "users": [reader.pk], "tokens": [token.pk],
        "memberships": [Membership.objects.get(project=project, user=reader).pk],
        "jobs": list(Job.objects.filter(project=project).values_list("pk", flat=True)),
        "ingests": list(Ingest.objects.filter(project=project).values_list("pk", flat=True)),
        "open": [archive.create_ingest(project, by=None).pk], "archives": [remote.pk],
        "exams": list(Admission.objects.filter(project=project).values_list("exam_id", flat=True)),
        "images": [image.pk for image in images],
        "readings": readings, "snapshots": [snapshot.pk], "exports": list(Export.objects.values_list("pk", flat=True)),
        "explanations": [learning.a_map(version, images[0]).pk],
        "runs": [version.run_id], "models": [version.pk], "rounds": [drawn.pk],
        "weights": [_brought(project, admin).pk],
        "items": list(IngestItem.objects.filter(ingest=ingest).values_list("pk", flat=True)),
        "dicomweb": [(image.exam.study_uid, image.series_uid, image.sop_uid) for image in images],
    }  # fmt: skip


def _read(project: Project, reader: User) -> Any:
    reading = annotations.lease_next(project, reader=reader)
    assert reading is not None
    side = reading.exam.images.values_list("laterality", flat=True)[0]
    density = "a" if reading.exam.label.endswith("-0") else "b"
    patch = [{"op": "replace", "path": f"/breasts/{side}/density", "value": density}]
    edit = annotations.apply_edit(reading.pk, by=reader, revision=0, edit_id=uuid7(), patch=patch)
    return annotations.complete_reading(reading.pk, by=reader, revision=edit.revision).pk


def _brought(project: Project, admin: User) -> WeightsFile:
    return add_weights(
        project, "trunk.pth", [b"PK\x03\x04"], licence="MIT", origin="https://example.org", layout="auto", by=admin
    )


def _trained(snapshot: Any, admin: User) -> ModelVersion:
    """A finished run and its version, with events, and predictions of a waiting exam."""
    version = learning.a_version(snapshot, admin, method="dcse_resnet50")
    runs.store_events(version.run_id, [{"type": "started", "seq": 1, "attempt": 1, "t": "now"}], attempt=1)
    exam = Exam.objects.order_by("-pk").first()
    assert exam is not None
    rows = learning.density_rows(exam.pk)
    Comparison.objects.create(project=version.project, first=version, second=version, document={})
    Prediction.objects.create(version=version, exam_id=exam.pk, unit=str(exam.pk), split="pool", rows=rows)
    return version


def route(pattern: str) -> str:
    """A router's pattern as the permission table writes it: `api/v1/exams/{pk}/`."""
    named = re.sub(r"\(\?P<(\w+)>[^()]*\)|<\w+:(\w+)>", lambda found: "{" + (found[1] or found[2]) + "}", pattern)
    return re.sub(r"[\^$]", "", named)


def routes(found: Iterable[tuple[str, Any]] | None = None) -> Iterator[tuple[str, str]]:
    """Every (method, address) that the server answers under /api/v1 and /dicomweb."""
    for pattern, view in endpoints() if found is None else found:
        # A set of views says its methods in `actions`, to which Django adds HEAD at the first request.
        answers = getattr(view, "actions", None) or dir(view_class(view))
        yield from ((method, route(pattern)) for method in METHODS if method in answers)


def addresses(path: str, world: Named) -> list[str]:
    """The addresses of a route, one for each thing of the world that it can name."""
    if path.startswith("dicomweb/"):
        return ["/" + path.format(study=study, series=series, sop=sop, frame=1)
                for study, series, sop in world["dicomweb"]]  # fmt: skip
    if "{" not in path:
        return ["/" + path]
    return ["/" + re.sub(r"\{\w+\}", str(pk), path) for pk in world[path.split("/")[2]]]
