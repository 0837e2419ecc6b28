"""What the pages ask is answered as the schema says: a real answer for each address that the front end asks."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import services as archive
from exchange import services as exchange
from exchange.models import Snapshot
from jobs.models import Job
from learning.comparing import compared
from learning.models import ExamEmbedding, ModelVersion, Prediction
from learning.services import comparisons, rounds, runs
from learning.services.weights import add_weights
from tests.archive.factories import a_mammogram, delivered
from tests.archive.test_api import bytes_of
from tests.learning import factories
from tests.ml.evaluation.reports.factories import a_row
from tests.ml.evaluation.reports.test_lesions import BOX, run, wrong
from tests.support.answers import NotAsTheSchemaSays, check_answer, check_body, schema, template_of

SOURCES = Path(__file__).resolve().parents[2] / "frontend" / "src"
#: `runs/${id}/`, `jobs/`: a string or a template that begins with a name of ours and ends with a slash.
ADDRESS = re.compile(r"[\"`]((?:[a-z]+/)(?:[^\"`\s]*/)?)[\"`]")


def addresses_of_the_pages() -> set[str]:
    """The addresses of the schema that the front end's sources name and that can be got as JSON."""
    found = set()
    for file in SOURCES.rglob("*.ts*"):
        if ".test." in file.name or file.name.startswith("schema."):
            continue
        for named in ADDRESS.findall(file.read_text()):
            template = template_of("/api/v1/" + re.sub(r"\$\{[^}]*\}", "x", named))
            answer = schema()["paths"].get(template, {}).get("get", {}).get("responses", {}).get("200", {})
            if template and "application/json" in answer.get("content", {}):
                found.add(template)
    return found


@pytest.fixture
def world(snapshot: Snapshot, density_version: ModelVersion, pool: Any, admin: Any, reader: Any) -> dict[str, Any]:
    """A project that has been through one turn of the loop, and one of everything else that a page shows."""
    project = snapshot.project
    ingest = delivered(project, [a_mammogram(), b"junk"])
    exam = ingest.items.exclude(image=None).get().image.exam
    runs.store_events(density_version.run_id, [{"type": "started", "seq": 1, "t": "now"}], attempt=1)
    exchange.order_export(snapshot, format_name="coco", by=admin)
    add_weights(project, "a.pth", [b"PK\x03\x04"], licence="MIT", origin="here", layout="auto", by=admin)
    job = Job.objects.create(kind="learning.rank", queue="cpu", project=project, created_by=admin, params={})
    factories.scored(density_version, dict.fromkeys(pool, 0.5))
    drawn = rounds.draw_round(project, job=job)
    Prediction.objects.create(
        version=density_version, exam_id=exam.pk, unit=str(exam.pk), split="pool", rows=factories.density_rows(exam.pk)
    )
    factories.a_map(density_version, exam.images.get())
    near = [exam.pk, *snapshot.items.values_list("exam_id", flat=True)]
    ExamEmbedding.objects.bulk_create(
        ExamEmbedding(version=density_version, exam_id=one, split="pool", vector=np.array([1, 0], "<f4").tobytes())
        for one in near
    )
    first, second = two_compared(snapshot, admin)
    other = archive.create_archive(by=admin, name="PACS", url="https://pacs.example/dicom-web")
    readings = project.readings.order_by("pk")
    return {
        "project": project.pk, "exam": exam.pk, "image": exam.images.get().pk, "ingest": ingest.pk,
        "archive": other.pk, "snapshot": snapshot.pk, "run": density_version.run_id, "model": density_version.pk,
        "round": drawn.pk, "job": job.pk, "reading": readings[0].pk, "user": reader.pk,
        "first": first.pk, "second": second.pk,
    }  # fmt: skip


def two_compared(frozen: Snapshot, by: Any) -> list[ModelVersion]:
    """Two versions that say the same of one patient, told beside each other."""
    tested = frozen.items.get(split="test").exam_id
    said = [{**row, "split": "test"} for row in factories.density_rows(tested)]
    both = [factories.a_version(frozen, by, method="dcse_resnet50", predictions=said) for _ in range(2)]
    ordered = comparisons.order_comparison(*both, by=by)
    comparisons.keep_comparison(ordered.pk, compared(*both))
    return both


ASKED = [
    "me/",
    "projects/",
    "projects/{project}/",
    "projects/{project}/loop/",
    "memberships/?project={project}",
    "users/",
    "users/{user}/",
    "tokens/",
    "audit/",
    "audit/?project={project}",
    "jobs/?project={project}",
    "jobs/{job}/",
    "exams/?project={project}",
    "exams/{exam}/?project={project}",
    "images/{image}/",
    "images/{image}/header/",
    "ingests/?project={project}",
    "ingests/{ingest}/",
    "ingests/{ingest}/items/",
    "archives/",
    "archives/{archive}/",
    "worklist/?project={project}",
    "readings/?project={project}",
    "readings/{reading}/",
    "snapshots/?project={project}",
    "snapshots/{snapshot}/",
    "exports/?project={project}",
    "methods/?snapshot={snapshot}",
    "runs/?project={project}",
    "runs/{run}/",
    "runs/{run}/events/",
    "models/?project={project}",
    "models/{model}/",
    "models/{model}/predictions/?exam={exam}",
    "models/{model}/nearest/?exam={exam}",
    "models/{first}/compare/{second}/",
    "explanations/?project={project}&exam={exam}",
    "weights/?project={project}",
    "rounds/?project={project}",
    "rounds/{round}/",
]


def test_every_page_is_answered_as_the_schema_says(world: dict[str, Any], admin: Any, api: Callable[..., Any]) -> None:
    client = api(admin)  # holds each answer against the schema
    client.post("/api/v1/tokens/", {"name": "a program"})
    for asked in ASKED:
        address = "/api/v1/" + asked.format(**world)
        answer = client.get(address)
        content = bytes_of(answer)
        assert answer.status_code == 200, (asked, content)
        check_answer("GET", address, 200, "application/json", content)  # a file that is streamed the client let pass
        held = json.loads(content)
        assert held.get("results", True) if isinstance(held, dict) else held, f"{asked}: an empty list shows nothing"
    answered = {template_of("/api/v1/" + asked.format(**world)) for asked in ASKED}
    missing = addresses_of_the_pages() - answered
    assert not missing, (
        f"pages ask these, and no answer of theirs is held against the schema: add them to ASKED {missing}"
    )


def test_a_report_of_lesions_is_answered_as_the_schema_says(
    lesion_version: ModelVersion,
    admin: Any,
    api: Callable[..., Any],
) -> None:
    rows = [a_row(n, "train" if n < 10 else "test", findings=[("mass", BOX)] if n % 2 else ()) for n in range(20)]
    found = run(rows, wrong(rows))
    lesion_version.metrics, lesion_version.curves, lesion_version.worst = found.metrics, found.curves, found.worst
    lesion_version.headline = found.headline
    lesion_version.save()
    told = api(admin).get(f"/api/v1/models/{lesion_version.pk}/").json()
    assert {row["kind"] for row in told["worst"]} == {"missed_finding", "false_alarm"}
    assert told["curves"]["froc"] and told["metrics"]


def test_a_reader_s_worklist_is_answered_as_the_schema_says(world: Any, reader: Any, api: Callable[..., Any]) -> None:
    told = api(reader).get(f"/api/v1/worklist/?project={world['project']}").json()
    assert told["left"] and "entries" not in told


@pytest.mark.parametrize(
    ("change", "place"),
    [({"nmae": "x"}, "Additional"), ({"name": 3}, r"\$\.name"), ({"role": "owner"}, r"\$\.role")],
)
def test_an_answer_that_the_schema_does_not_tell_is_an_error(
    change: dict[str, Any], place: str, api: Callable[..., Any], project: Any, site_admin: Any
) -> None:
    address = f"/api/v1/projects/{project.pk}/"
    true = api(site_admin).get(address).json()
    with pytest.raises(NotAsTheSchemaSays, match=place):
        check_answer("GET", address, 200, "application/json", json.dumps({**true, **change}).encode())
    lacking = {name: value for name, value in true.items() if name != "name"}
    with pytest.raises(NotAsTheSchemaSays, match="required"):
        check_answer("GET", address, 200, "application/json", json.dumps(lacking).encode())


def test_a_body_that_the_schema_does_not_tell_is_an_error() -> None:
    with pytest.raises(NotAsTheSchemaSays, match="snapshot"):
        check_body("POST", "/api/v1/runs/", {"method": "dcse_resnet50"})
