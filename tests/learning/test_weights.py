"""Weights that people bring: who may, what is refused, how a run starts from them, when they go."""

import json

import numpy as np
import pytest
from django.utils.crypto import get_random_string
from rest_framework.test import APIClient
from safetensors.numpy import save

from accounts.models import Role
from accounts.services import create_project
from core.models import AuditEvent
from learning import queries
from learning.models import Run, WeightsFile
from learning.services import runs
from learning.services.comparisons import differences
from tests.learning import factories

GOOD = save({"trunk.conv.weight": np.zeros((2, 2), np.float32)})
SAID = {"licence": "BSD-3-Clause", "origin": "https://example.org/resnet50"}


@pytest.fixture
def bring(api, admin, project, own_folders):

    def make(content=GOOD, name="resnet50.safetensors", by=admin, to=project, **said):
        query = "&".join(f"{key}={value}" for key, value in {"project": to.pk, **SAID, **said}.items())
        return api(by).post(
            f"/api/v1/weights/?{query}", content, content_type="application/octet-stream", headers={"X-File-Name": name}
        )

    return make


def test_weights_are_kept_as_they_came_and_listed(bring, api, admin, project):
    answer = bring()
    kept = answer.json()
    assert (answer.status_code, kept["name"], kept["bytes"]) == (201, "resnet50.safetensors", len(GOOD))
    assert queries.weights_path(WeightsFile.objects.get()).read_bytes() == GOOD
    assert (kept["licence"], kept["origin"], kept["layout"]) == (SAID["licence"], SAID["origin"], "auto")
    assert kept["family"] is None
    rows = api(admin).get("/api/v1/weights/", {"project": str(project.pk)}).json()["results"]
    assert [row["id"] for row in rows] == [kept["id"]]
    assert AuditEvent.objects.filter(verb="weights.added", target_id=kept["id"]).count() == 1
    assert bring().json()["id"] == kept["id"]  # the same bytes are one


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<html>404</html>", "resnet50.pth"),
        (b"<html>404</html>", "resnet50.safetensors"),
        (b"", "resnet50.safetensors"),
        (save({}), "empty.safetensors"),
        ((2**62).to_bytes(8, "little") + b"{}", "long.safetensors"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "deep.safetensors"),
        (GOOD, "resnet50.onnx"),
        (GOOD, ""),
    ],
)
def test_what_is_no_weights_file_is_refused_and_nothing_of_it_stays(bring, settings, content, name):
    answer = bring(content, name)
    assert (answer.status_code, answer.json()["code"]) == (422, "learning.weights_refused")
    assert not WeightsFile.objects.exists()
    assert list(settings.WEIGHTS_DIR.glob("*")) == [] if settings.WEIGHTS_DIR.exists() else True


def test_weights_without_a_licence_or_an_origin_are_refused(bring):
    for name in SAID:
        assert bring(**{name: ""}).status_code == 422


def test_a_pth_file_is_taken_by_its_first_bytes_alone(bring):
    assert bring(b"PK\x03\x04 and never opened here", "old.pth").status_code == 201


def test_only_an_administrator_brings_and_nobody_sees_those_of_another_project(bring, api, member, reader, site_admin):
    boss = member("boss", Role.ADMIN)
    kept = bring(by=boss).json()
    assert bring(by=reader).status_code == 403
    other = create_project(name="Other", by=site_admin)
    theirs = bring(by=site_admin, to=other).json()
    assert theirs["id"] != kept["id"] and theirs["sha256"] == kept["sha256"]
    assert api(boss).get("/api/v1/weights/", {"project": str(other.pk)}).status_code == 404
    assert api(boss).delete(f"/api/v1/weights/{theirs['id']}/").status_code == 404
    assert api(reader).delete(f"/api/v1/weights/{kept['id']}/").status_code == 404


def test_a_browser_sends_its_token_in_a_header_and_the_file_as_the_body(bring, admin, project):
    bring()  # settings
    browser, token = APIClient(enforce_csrf_checks=True), get_random_string(32)
    browser.force_login(admin)
    browser.cookies["csrftoken"] = token
    address = f"/api/v1/weights/?project={project.pk}&licence=MIT&origin=here"
    sent = {"content_type": "application/octet-stream", "headers": {"X-File-Name": "a.safetensors"}}
    assert browser.post(address, GOOD, **sent).status_code == 403
    sent["headers"]["X-CSRFToken"] = token
    assert browser.post(address, GOOD, **sent).status_code == 201


def test_a_run_starts_from_them_with_a_folder_that_is_whole(bring, api, admin, snapshot):
    kept = bring(layout="own").json()
    body = {"snapshot": str(snapshot.pk), "method": "dcse_resnet50", "init": {"weights": kept["id"]}}
    made = api(admin).post("/api/v1/runs/", body)
    assert (made.status_code, made.json()["init_weights"]) == (201, "resnet50.safetensors")
    run = Run.objects.get(pk=made.json()["id"])
    folder = runs.write_folder(run)
    init = json.loads((folder / "request.json").read_text())["init"]
    assert (init["kind"], init["path"], init["sha256"], init["layout"]) == (
        "weights_file", "init/weights.safetensors", kept["sha256"], "own",
    )  # fmt: skip
    assert (init["licence"], init["origin"]) == (kept["licence"], kept["origin"])
    assert (folder / init["path"]).read_bytes() == GOOD
    refused = api(admin).delete(f"/api/v1/weights/{kept['id']}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "learning.weights_used")


def test_a_version_tells_what_it_began_with_and_differs_by_it(bring, api, admin, snapshot, density_version):
    weights = WeightsFile.objects.get(pk=bring().json()["id"])
    run = factories.a_run(snapshot, admin, weights=weights)
    folder = factories.finish(run)
    version = runs.import_run(run)
    stages = {"stages": {"main": {"init": "weights_file", "loaded": 62, "share": 1.0}}}
    (folder / "environment.json").write_text(json.dumps(stages))
    client = api(admin)
    page = client.get(f"/api/v1/models/{version.pk}/").json()
    assert (page["init_version"], page["init_weights"]["licence"]) == (None, weights.licence)
    assert client.get(f"/api/v1/runs/{run.pk}/").json()["environment"] == stages
    began = {row["name"]: row["second"] for row in differences(density_version, version)}["begins with"]
    assert began == f"weights {weights.name} ({weights.sha256[:8]})"


def test_a_run_starts_from_one_thing(bring, api, admin, snapshot, density_version):
    kept = bring().json()
    init = {"weights": kept["id"], "version": str(density_version.pk)}
    body = {"snapshot": str(snapshot.pk), "method": "dcse_resnet50", "init": init}
    answer = api(admin).post("/api/v1/runs/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "learning.init_refused")


def test_forgotten_weights_leave_the_disk_and_those_of_another_project_stay_until_it_goes(
    bring, api, admin, site_admin, django_capture_on_commit_callbacks
):
    other = create_project(name="Other", by=site_admin)
    kept, theirs = (bring(**to).json()["id"] for to in ({}, {"by": site_admin, "to": other}))
    mine, yours = (queries.weights_path(WeightsFile.objects.get(pk=pk)) for pk in (kept, theirs))
    with django_capture_on_commit_callbacks(execute=True):
        assert api(admin).delete(f"/api/v1/weights/{kept}/").status_code == 204
    assert not mine.exists() and yours.exists()
    with django_capture_on_commit_callbacks(execute=True):
        other.delete()
    assert not WeightsFile.objects.exists() and not yours.exists()


def test_a_file_tells_the_family_of_its_network_as_soon_as_it_is_here(bring, api, admin, project):
    names = ("module.bn1.weight", "module.layer1.0.conv1.weight")
    brought = bring(save({name: np.zeros(2, np.float32) for name in names}), "resnet18.safetensors").json()
    assert brought["family"] == "resnet"
    rows = api(admin).get("/api/v1/weights/", {"project": str(project.pk)}).json()["results"]
    assert [row["family"] for row in rows] == ["resnet"]
