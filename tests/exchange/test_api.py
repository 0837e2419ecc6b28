"""Snapshots and exports over HTTP: who may, what goes out."""

import hashlib
import io
import zipfile

import pytest

from accounts.models import Role
from core.words import size
from exchange import services
from exchange.models import Export, Snapshot
from jobs.testing import run_queued

#: The test client is synchronous; the server streams.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")


@pytest.fixture
def snapshot(read_project, admin):
    made = services.order_snapshot(read_project, references=False, note="first", by=admin)
    run_queued()
    made.refresh_from_db()
    return made


@pytest.fixture
def export(snapshot, admin, var_dir):
    made = services.order_export(snapshot, format_name="csv", by=admin)
    run_queued()
    made.refresh_from_db()
    return made


def content_of(response):
    return b"".join(response)


def test_an_admin_freezes_looks_and_takes_the_export_home(read_project, admin, api, var_dir):
    client = api(admin)
    dry = client.post("/api/v1/snapshots/dry-run/", {"project": str(read_project.pk)}).json()
    made = client.post("/api/v1/snapshots/", {"project": str(read_project.pk), "note": "first"})
    assert (made.status_code, made.json()["state"]) == (201, "building")
    run_queued()
    snapshot = client.get(f"/api/v1/snapshots/{made.json()['id']}/").json()
    assert (snapshot["state"], snapshot["number"], snapshot["counts"]) == ("frozen", 1, dry["counts"])
    ordered = client.post("/api/v1/exports/", {"snapshot": snapshot["id"], "format": "csv"}).json()
    assert client.get(f"/api/v1/exports/{ordered['id']}/download/").status_code == 409
    run_queued()
    ready = client.get(f"/api/v1/exports/{ordered['id']}/").json()
    assert client.get(f"/api/v1/jobs/{ready['job']}/").json()["message"] == f"Wrote {size(ready['bytes'])}."
    answer = client.get(f"/api/v1/exports/{ordered['id']}/download/")
    content = content_of(answer)
    assert answer["Content-Disposition"] == f'attachment; filename="{read_project.slug}-v1-csv.zip"'
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (ready["sha256"], ready["bytes"])
    assert "images.csv" in zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_items_come_in_exam_order_with_the_bytes_that_were_hashed(snapshot, admin, api):
    page = api(admin).get(f"/api/v1/snapshots/{snapshot.pk}/items/", {"page_size": 2}).json()
    items = page["results"] + api(admin).get(page["next"]).json()["results"]
    assert [item["position"] for item in items] == [0, 1, 2]
    assert all(hashlib.sha256(item["body"].encode()).hexdigest() == item["sha256"] for item in items)
    lines = "".join(f"{item['exam_id']}|{item['sha256']}\n" for item in items)
    assert hashlib.sha256(lines.encode()).hexdigest() == snapshot.sha256


@pytest.mark.trap(59)
@pytest.mark.parametrize(
    ("who", "read", "freeze", "order"),
    [
        (None, 401, 401, 401),
        ("stranger", 404, 404, 404),
        (Role.READER, 404, 403, 404),
        (Role.ADJUDICATOR, 404, 403, 404),
        (Role.RESEARCHER, 200, 403, 201),
        (Role.ADMIN, 200, 201, 201),
    ],
)
def test_who_may_read_freeze_and_export(snapshot, export, member, api, who, read, freeze, order):
    user = None
    if who == "stranger":
        from accounts.services import create_user

        user = create_user(username="stranger", password=None, by=None)
    elif who is not None:
        user = member("somebody", who)
    client, project = api(user), str(snapshot.project_id)
    answers = {
        "list": client.get("/api/v1/snapshots/", {"project": project}).status_code,
        "one": client.get(f"/api/v1/snapshots/{snapshot.pk}/").status_code,
        "items": client.get(f"/api/v1/snapshots/{snapshot.pk}/items/").status_code,
        "export": client.get(f"/api/v1/exports/{export.pk}/").status_code,
        "exports": client.get("/api/v1/exports/", {"project": project}).status_code,
        "download": client.get(f"/api/v1/exports/{export.pk}/download/").status_code,
    }
    lists = 403 if who in (Role.READER, Role.ADJUDICATOR) else read
    assert answers == {**dict.fromkeys(answers, read), "list": lists, "exports": lists}
    assert client.post("/api/v1/snapshots/", {"project": project}).status_code == freeze
    assert client.post("/api/v1/exports/", {"snapshot": str(snapshot.pk), "format": "csv"}).status_code == order


def test_consensus_and_emptiness_are_said_with_a_code(project, admin, api):
    answer = api(admin).post("/api/v1/snapshots/", {"project": str(project.pk)})
    assert (answer.status_code, answer.json()["code"]) == (409, "exchange.nothing_to_freeze")
    assert answer.json()["cure"]


@pytest.mark.trap(49)
def test_exports_are_listed_with_who_what_and_how_large(export, admin, api):
    [row] = api(admin).get("/api/v1/exports/", {"project": str(export.snapshot.project_id)}).json()["results"]
    assert (row["format"], row["state"], row["snapshot_number"], row["bytes"]) == ("csv", "done", 1, export.bytes)
    assert row["file_name"].endswith("-v1-csv.zip")


def test_a_lost_file_is_said_and_can_be_made_again(export, admin, api):
    from exchange.queries import export_path

    export_path(export).unlink()
    answer = api(admin).get(f"/api/v1/exports/{export.pk}/download/")
    assert (answer.status_code, answer.json()["code"]) == (404, "exchange.export_lost")
    api(admin).post("/api/v1/exports/", {"snapshot": str(export.snapshot_id), "format": "csv"})
    run_queued()
    assert api(admin).get(f"/api/v1/exports/{export.pk}/download/").status_code == 200


@pytest.mark.parametrize("body", [{}, {"project": "no uuid"}, {"project": None}])
def test_a_malformed_order_is_told_what_is_wrong(admin, api, body):
    assert api(admin).post("/api/v1/snapshots/", body).status_code == 422
    assert Snapshot.objects.count() == Export.objects.count() == 0
