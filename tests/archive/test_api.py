"""Who may see and send what; bytes that are streamed under a name that never changes."""

import io
import json
from collections import namedtuple

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom import dcmread

from accounts.models import Role
from accounts.services import create_project
from archive import columns, incoming, services
from archive.models import Admission, Exam, Image, Ingest, IngestItem
from jobs.testing import run_queued
from tests.archive.factories import a_mammogram, delivered, file_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(member, site_admin, project):
    """Everybody who may come: members by role, a member of another project, a stranger."""
    elsewhere = create_project(name="Elsewhere", by=None)
    return {
        "site admin": site_admin,
        "admin": member("an-admin", Role.ADMIN),
        "reader": member("a-reader", Role.READER),
        "adjudicator": member("an-adjudicator", Role.ADJUDICATOR),
        "researcher": member("a-researcher", Role.RESEARCHER),
        "outsider": member("an-outsider", Role.ADMIN, into=elsewhere),
        "nobody": None,
    }


@pytest.fixture
def ingest(project):
    return delivered(project, [a_mammogram(), b"junk"])


ALL, RUN, LOOK, SITE = "11111", "11000", "11001", "10000"
#: (method, address, who is let in: site admin, admin, reader, adjudicator, researcher).
TABLE = [
    ("get", "/api/v1/exams/?project={project}", ALL),
    ("get", "/api/v1/exams/{exam}/", ALL),
    ("get", "/api/v1/exams/{exam}/?project={project}", ALL),
    ("get", "/api/v1/images/{image}/", ALL),
    ("get", "/api/v1/images/{image}/thumbnail/", ALL),
    ("get", "/api/v1/images/{image}/display/", ALL),
    ("get", "/api/v1/images/{image}/header/", ALL),
    ("get", "/dicomweb/studies/{study}", ALL),
    ("get", "/dicomweb/studies/{study}/metadata", ALL),
    ("get", "/dicomweb/studies/{study}/series", ALL),
    ("get", "/dicomweb/studies/{study}/instances", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}/metadata", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}/instances", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}/instances/{sop}", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}/instances/{sop}/metadata", ALL),
    ("get", "/dicomweb/studies/{study}/series/{series}/instances/{sop}/frames/1", ALL),
    ("get", "/api/v1/ingests/?project={project}", LOOK),
    ("get", "/api/v1/ingests/{ingest}/", LOOK),
    ("get", "/api/v1/ingests/{ingest}/items/", LOOK),
    ("post", "/api/v1/ingests/", RUN),
    ("put", "/api/v1/ingests/{open}/files/", RUN),
    ("post", "/api/v1/ingests/{open}/files/", RUN),
    ("post", "/api/v1/ingests/{open}/close/", RUN),
    ("get", "/api/v1/archives/", SITE),
    ("post", "/api/v1/archives/", SITE),
    ("get", "/api/v1/archives/{archive}/", SITE),
    ("patch", "/api/v1/archives/{archive}/", SITE),
    ("post", "/api/v1/archives/{archive}/pull/", SITE),
    ("delete", "/api/v1/archives/{archive}/", SITE),
]


@pytest.fixture
def names(project, ingest, site_admin):
    image = Image.objects.select_related("exam").get()
    archive = services.create_archive(name="PACS", url="http://127.0.0.1:9/dicom-web", by=site_admin)
    return {
        "project": project.pk, "exam": image.exam_id, "image": image.pk, "ingest": ingest.pk, "archive": archive.pk,
        "open": services.create_ingest(project, by=None).pk, "study": image.exam.study_uid,
        "series": image.series_uid, "sop": image.sop_uid,
    }  # fmt: skip


def asked(client, method, address, names):
    address = address.format(**names)
    body = {
        "/api/v1/ingests/": {"project": str(names["project"])},
        "/api/v1/archives/": {"name": "Another", "url": "https://pacs.example.org/dicom-web"},
    }.get(address, {"name": "Renamed"} if method == "patch" else None)
    if address.endswith("/pull/"):
        body = {"project": str(names["project"]), "studies": ["1.2.3"]}
    if "/files/" in address and method == "put":
        return client.put(address, data=b"DICM", content_type="application/octet-stream")
    if "/files/" in address:
        return client.post(address, data={"file": SimpleUploadedFile("a.dcm", b"DICM")}, format="multipart")
    return getattr(client, method)(address, data=body, format="json")


@pytest.mark.trap(59)
@pytest.mark.trap(60)
@pytest.mark.parametrize(("method", "address", "let_in"), TABLE)
def test_who_is_let_in(api, people, names, method, address, let_in):
    members = dict(zip(["site admin", "admin", "reader", "adjudicator", "researcher"], let_in, strict=True))
    for who in ["nobody", "outsider", "reader", "adjudicator", "researcher", "admin", "site admin"]:
        status = asked(api(people[who]), method, address, names).status_code
        if who == "nobody":
            assert status == 401, who
        elif members.get(who) == "1":
            assert 200 <= status < 300, (who, status)
        else:
            assert status in (403, 404), (who, status)
        if who == "outsider" and "archives" not in address:
            assert status == 404, "a stranger learns that it exists"


def test_search_shows_only_exams_of_ones_own_projects(api, people, names):
    assert len(api(people["reader"]).get("/dicomweb/studies").json()) == 1
    assert api(people["outsider"]).get("/dicomweb/studies").json() == []


# --- exams ------------------------------------------------------------------------------------------------------
def test_a_row_of_the_list(api, people, project):
    delivered(project, [a_mammogram(study="1.2.3"), a_mammogram(study="1.2.3", laterality="L")])
    row = api(people["reader"]).get(f"/api/v1/exams/?project={project.pk}").json()["results"][0]
    exam = Exam.objects.get()
    assert row["id"] == str(exam.pk) and row["label"] == exam.label and row["state"]
    assert row["patient_label"] == exam.patient.pseudonym and row["age_years"] == 62
    assert [image["laterality"] for image in row["images"]] == ["R", "L"]
    assert row["split"] == Admission.objects.get().split


def test_an_exam_has_all_that_the_reading_room_needs(api, people, project):
    delivered(project, [a_mammogram()])
    exam = api(people["reader"]).get(f"/api/v1/exams/{Exam.objects.get().pk}/?project={project.pk}").json()
    image = exam["images"][0]
    assert image["spacing_mm"] == [0.07, 0.07] and image["spacing_source"] == "imager"
    assert image["windows"][0] == {"center": 2048.0, "width": 4096.0, "explanation": "NORMAL"}
    assert image["voi_function"] == "LINEAR" and image["patient_orientation"] == "P\\L"
    assert image["metadata"]["00280010"]["Value"] == [96] and "7FE00010" not in image["metadata"]
    assert image["metadata"]["00280030"]["Value"] == [0.07, 0.07]
    for url in (image["frame_url"], image["display_url"], image["thumbnail_url"]):
        assert api(people["reader"]).get(url).status_code == 200


def test_exams_are_filtered_by_split_and_by_what_higher_floors_register(api, people, project):
    for number in range(6):
        delivered(project, [a_mammogram(patient=f"P{number}")])
    client, address = api(people["reader"]), f"/api/v1/exams/?project={project.pk}"
    splits = list(Admission.objects.values_list("split", flat=True))
    assert len(client.get(address + "&split=train").json()["results"]) == splits.count("train")
    chosen = Exam.objects.first()
    extra = columns.Columns(
        values=lambda user, project_id, ids: {chosen.pk: {"density": "d"}},
        filters={"weather": lambda rows, value, user: rows.filter(exam=chosen) if value == "fair" else rows.none()},
    )
    columns.register("test", extra)
    try:
        assert [row["density"] for row in client.get(address + "&weather=fair").json()["results"]] == ["d"]
    finally:
        del columns.REGISTERED["test"]


@pytest.mark.trap(55)
def test_a_filter_over_other_tables_is_not_a_filter(api, people, ingest, project):
    client = api(people["reader"])
    for probe in ("exam__patient__pseudonym__startswith=P", "project__created_by__password__startswith=a"):
        assert len(client.get(f"/api/v1/exams/?project={project.pk}&{probe}").json()["results"]) == 1


def test_without_a_project_the_list_holds_the_exams_of_all_ones_projects_and_no_others(api, people, ingest, project):
    of_all = api(people["reader"]).get("/api/v1/exams/").json()["results"]
    of_one = api(people["reader"]).get(f"/api/v1/exams/?project={project.pk}").json()["results"]
    assert of_all == of_one and of_all[0]["project"] == str(project.pk)
    assert api(people["outsider"]).get("/api/v1/exams/").json()["results"] == []


def test_imports_without_a_project_are_a_clear_error(api, people):
    answer = api(people["admin"]).get("/api/v1/ingests/")
    assert answer.status_code == 400 and "project" in answer.json()["detail"]


# --- bytes ------------------------------------------------------------------------------------------------------
def bytes_of(response):
    if not response.streaming:
        return response.content

    async def read():
        return b"".join([chunk async for chunk in response.streaming_content])

    return async_to_sync(read)()


@pytest.fixture
def frame(names):
    return "/dicomweb/studies/{study}/series/{series}/instances/{sop}/frames/1".format(**names)


@pytest.mark.trap(46)
def test_a_frame_says_how_it_is_compressed_and_may_be_kept_for_ever(api, people, frame):
    answer = api(people["reader"]).get(frame)
    assert answer["Content-Type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.202"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.streaming and answer.is_async and len(bytes_of(answer)) == int(answer["Content-Length"])
    again = api(people["reader"]).get(frame, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert api(people["outsider"]).get(frame, headers={"If-None-Match": answer["ETag"]}).status_code == 404


def test_a_viewer_that_wants_parts_gets_the_syntax_in_the_part(api, people, frame):
    accept = "multipart/related; type=application/octet-stream; transfer-syntax=*"
    answer = api(people["reader"]).get(frame, headers={"Accept": accept})
    content = bytes_of(answer)
    boundary = answer["Content-Type"].partition("boundary=")[2]
    head, _, rest = content.partition(b"\r\n\r\n")
    assert head.startswith(f"--{boundary}".encode())
    assert b"Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.202" in head
    plain = bytes_of(api(people["reader"]).get(frame))
    assert rest == plain + f"\r\n--{boundary}--\r\n".encode() and len(content) == int(answer["Content-Length"])


def test_an_instance_is_sent_as_it_is_stored(api, people, names):
    address = "/dicomweb/studies/{study}/series/{series}/instances/{sop}".format(**names)
    answer = api(people["reader"]).get(address, headers={"Accept": "application/dicom"})
    ds = dcmread(io.BytesIO(bytes_of(answer)))
    assert ds.SOPInstanceUID == names["sop"] and ds.PatientName == Exam.objects.get().patient.pseudonym


@pytest.mark.trap(47)
def test_a_study_is_sent_file_by_file(api, people, project):
    delivered(project, [a_mammogram(study="1.2.3"), a_mammogram(study="1.2.3", laterality="L")])
    study = Exam.objects.get().study_uid
    answer = api(people["reader"]).get(f"/dicomweb/studies/{study}", headers={"Accept": "multipart/related"})
    assert answer.is_async and bytes_of(answer).count(b"Content-Type: application/dicom") == 2


@pytest.mark.trap(13)
def test_there_is_no_second_frame(api, people, frame):
    assert api(people["reader"]).get(frame.replace("frames/1", "frames/2")).status_code == 404


def test_metadata_fit_to_the_frames(api, people, names):
    address = "/dicomweb/studies/{study}/metadata".format(**names)
    answer = api(people["reader"]).get(address, headers={"Accept": "application/dicom+json"})
    assert answer["Content-Type"] == "application/dicom+json"
    document = json.loads(answer.content)[0]
    assert document["00080018"]["Value"] == [names["sop"]]
    assert document["00083002"]["Value"] == ["1.2.840.10008.1.2.4.202"]


def test_an_image_that_is_not_prepared_says_so(api, people, project):
    ingest = services.create_ingest(project, by=None)
    services.receive_file(ingest, "", [file_of(a_mammogram())])
    services.close_ingest(ingest, by=None)
    from jobs.execution import run_job

    run_job(ingest.job_id)
    answer = api(people["reader"]).get(f"/api/v1/images/{Image.objects.get().pk}/thumbnail/")
    assert answer.status_code == 409 and answer.json()["code"] == "archive.not_derived"


# --- imports ----------------------------------------------------------------------------------------------------
def test_an_upload_from_the_first_request_to_the_last(api, people, project):
    client = api(people["admin"])
    made = client.post("/api/v1/ingests/", {"project": str(project.pk)}).json()
    assert made["state"] == "receiving" and made["dataset"] == "auto"
    files = f"/api/v1/ingests/{made['id']}/files/"
    content = file_of(a_mammogram())
    sent = client.put(f"{files}?name=Doe_Jane.dcm", data=content, content_type="application/octet-stream")
    assert sent.status_code == 202 and sent.json()["item"]["state"] == "waiting"
    assert incoming.file_of(Ingest.objects.get().pk, 1).read_bytes() == content
    form = client.post(files, {"a": SimpleUploadedFile("b.dcm", b"junk")}, format="multipart")
    assert form.status_code == 202 and len(form.json()["items"]) == 1
    closed = client.post(f"/api/v1/ingests/{made['id']}/close/")
    assert closed.json()["job"]["kind"] == "archive.ingest"
    assert client.post(f"/api/v1/ingests/{made['id']}/close/").json() == closed.json()
    run_queued()
    done = client.get(f"/api/v1/ingests/{made['id']}/").json()
    assert done["state"] == "closed" and done["counts"]["accepted"] == 1 and done["counts"]["rejected"] == 1
    assert done["reasons"][0]["sentence"] == "This file is not DICOM."
    items = client.get(f"/api/v1/ingests/{made['id']}/items/").json()["results"]
    assert [(item["n"], item["state"], item["code"]) for item in items] == [
        (1, "accepted", ""), (2, "rejected", "archive.not_dicom"),
    ]  # fmt: skip
    assert "Doe" not in json.dumps(items)


def test_a_closed_import_takes_no_files(api, people, ingest):
    answer = api(people["admin"]).put(
        f"/api/v1/ingests/{ingest.pk}/files/", data=b"x", content_type="application/octet-stream"
    )
    assert answer.status_code == 409 and answer.json()["code"] == "archive.ingest_closed"


def test_a_full_disk_is_said_before_anything_is_written(api, people, project, settings, monkeypatch):
    ingest = services.create_ingest(project, by=None)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(100, 90, 10))
    settings.DISK_RESERVE_BYTES = 5
    answer = api(people["admin"]).put(
        f"/api/v1/ingests/{ingest.pk}/files/", data=bytes(6), content_type="application/octet-stream"
    )
    assert answer.status_code == 503 and answer.json()["code"] == "archive.disk_full"
    assert not list(incoming.folder_of(ingest.pk).iterdir()) and not IngestItem.objects.filter(ingest=ingest).exists()


def test_an_upload_over_the_limit_is_refused(api, people, project, settings):
    settings.UPLOAD_LIMIT_BYTES = 10
    ingest = services.create_ingest(project, by=None)
    answer = api(people["admin"]).put(
        f"/api/v1/ingests/{ingest.pk}/files/", data=bytes(11), content_type="application/octet-stream"
    )
    assert answer.status_code == 413


def test_an_upload_that_breaks_off_leaves_nothing(project):
    ingest = services.create_ingest(project, by=None)
    with pytest.raises(Exception, match=r"archive\.upload_cut"):
        services.receive_file(ingest, "x", [b"half"], expected=8)
    assert not list(incoming.folder_of(ingest.pk).iterdir())


def test_a_dataset_that_nobody_reads_is_refused(api, people, project):
    answer = api(people["admin"]).post("/api/v1/ingests/", {"project": str(project.pk), "dataset": "sushi"})
    assert answer.status_code == 422
