"""What was taken out at the door comes out of no other: every answer, export, stream, log and record is searched."""

import io
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom.uid import generate_uid

from accounts.models import Role
from archive.models import Exam, Image, Ingest
from core.models import IdempotencyKey
from jobs.testing import run_queued
from tests.archive.factories import a_zip, file_of
from tests.archive.identities import (
    FILE_NAME,
    FOLDER,
    IDENTITIES,
    MEMBER,
    PRIVATE,
    STUDY_DATE,
    ZIP_NAME,
    left_in,
    planted,
)
from tests.archive.test_deidentify import everything
from tests.contracts.world import Named, a_world, addresses, routes

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")]

PEOPLE = 6
#: What a list or a look-up must be asked for before it answers.
ASKED = {
    "api/v1/exams/": "?project={projects}", "api/v1/ingests/": "?project={projects}",
    "api/v1/worklist/": "?project={projects}", "api/v1/readings/": "?project={projects}",
    "api/v1/snapshots/": "?project={projects}", "api/v1/exports/": "?project={projects}",
    "api/v1/runs/": "?project={projects}", "api/v1/models/": "?project={projects}",
    "api/v1/rounds/": "?project={projects}", "api/v1/weights/": "?project={projects}",
    "api/v1/scores/": "?model={models}",
    "api/v1/models/{pk}/predictions/": "?exam={predicted}", "api/v1/methods/": "?snapshot={snapshots}",
    "api/v1/explanations/": "?project={projects}&exam={exams}", "api/v1/models/{pk}/nearest/": "?exam={exams}",
}  # fmt: skip


class Heard:
    """Everything that was answered, headers too."""

    def __init__(self, client: Any) -> None:
        self.client, self.pieces = client, []

    def ask(self, method: str, address: str, **more: Any) -> Any:
        answer = getattr(self.client, method)(address, **more)
        self.pieces += [str(answer.headers).encode(), body_of(answer)]
        return answer


def body_of(answer: Any) -> bytes:
    """A body whole; of a stream that has no end its first event."""
    if not answer.streaming:
        return bytes(answer.content)
    if answer.headers["Content-Type"].startswith("text/event-stream"):
        return async_to_sync(_first)(answer.streaming_content).encode()
    return b"".join(answer)


async def _first(events: Any) -> str:
    iterator = aiter(events)
    event = await anext(iterator)
    await iterator.aclose()
    return event if isinstance(event, str) else event.decode()


def deliveries() -> Iterator[tuple[str, bytes]]:
    """Six patients in six studies: in a folder, in a zip, and what is rejected beside them."""
    people = [
        planted(
            PatientID=f"{IDENTITIES['PatientID']}/{number}",
            **{level: generate_uid() for level in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")},
        )
        for number in range(PEOPLE)
    ]
    for number, person in enumerate(people[:4]):
        yield f"{FOLDER}/{number}/{FILE_NAME}", file_of(person)
    yield ZIP_NAME, a_zip({f"{FOLDER}/{n}/{MEMBER}": file_of(person) for n, person in enumerate(people[4:])})
    yield FILE_NAME, file_of(planted(SOPInstanceUID=generate_uid(), Modality="CT"))
    yield FILE_NAME, file_of(planted())[:2000]
    yield FILE_NAME, file_of(planted())[:-500]
    yield FILE_NAME, PRIVATE.encode()
    yield f"{FOLDER}.csv", f"{IDENTITIES['PatientName']};{PRIVATE}".encode()
    yield ZIP_NAME, a_zip({f"../../{MEMBER}": b"x", f"{MEMBER}.zip": a_zip({MEMBER: b"x"})})
    yield ZIP_NAME, a_zip({MEMBER: file_of(planted())})[:-40]


def uploaded(heard: Heard, project: Any) -> Ingest:
    """The delivery as a browser and as a program send it, with keys for repeated requests."""
    made = heard.ask("post", "/api/v1/ingests/", data={"project": str(project.pk)}, headers={"Idempotency-Key": "a"})
    address = f"/api/v1/ingests/{made.json()['id']}"
    for number, (name, content) in enumerate(deliveries()):
        if number % 2:
            sent = {"data": content, "content_type": "application/octet-stream"}
            answer = heard.ask("put", f"{address}/files/", headers={"X-File-Name": quote(name)}, **sent)
        else:
            form = {"file": SimpleUploadedFile(name, content)}
            again = {"Idempotency-Key": f"form-{number}"}
            answer = heard.ask("post", f"{address}/files/", data=form, format="multipart", headers=again)
        assert answer.status_code == 202
    heard.ask("post", f"{address}/close/", headers={"Idempotency-Key": "close"})
    run_queued()
    return Ingest.objects.get(pk=made.json()["id"])


def refusals(heard: Heard, closed: Ingest, project: Any, remote: Any) -> None:
    """Requests that name people and are refused: none of the answers repeats the name."""
    name, person = FILE_NAME, IDENTITIES["PatientName"]
    address, named = f"/api/v1/ingests/{closed.pk}", {"X-File-Name": quote(name)}
    late = {"file": SimpleUploadedFile(name, file_of(planted()))}
    answers = [
        heard.ask("post", f"{address}/files/", data=late, format="multipart", headers={"Idempotency-Key": "late"}),
        heard.ask("put", f"{address}/files/", headers=named, data=b"x", content_type="image/png"),
        heard.ask("put", f"{address}/files/", headers=named, data=b"x", CONTENT_LENGTH="99999999999"),
        heard.ask("post", f"{address}/files/", data=person.encode(), content_type="text/plain"),
        heard.ask("post", f"{address}/files/", data=person.encode(), content_type="multipart/form-data; boundary=x"),
        heard.ask("get", f"/api/v1/exams/{FOLDER}/"),
        heard.ask("get", f"/dicomweb/studies/{FOLDER}/metadata"),
        heard.ask("get", f"/{FOLDER}/{FILE_NAME}"),
    ]
    sought = {"PatientName": person, "PatientID": IDENTITIES["PatientID"], "StudyDate": STUDY_DATE}
    again = {"Idempotency-Key": "search"}
    careless = f"/api/v1/archives/{remote}/search/?{urlencode(sought)}"  # a program that asks in the address too
    assert heard.ask("post", careless, data=sought, headers=again).status_code == 503
    assert {answer.status_code for answer in answers} <= {200, 400, 404, 409, 413, 415, 422}
    assert [answer.status_code for answer in answers[:2]] == [409, 409]
    assert heard.ask("get", "/api/v1/exams/", query_params={"project": str(project.pk), "label": "x"}).json()


def walked(heard: Heard, world: Named) -> dict[str, set[int]]:
    """Ask for everything that can be read; the statuses by route."""
    first = {noun: found[0] for noun, found in world.items()} | {"predicted": Exam.objects.order_by("-pk")[0].pk}
    statuses: dict[str, set[int]] = {}
    for method, path in routes():
        if method == "get":
            for address in addresses(path, world):
                answer = heard.ask("get", address + ASKED.get(path, "").format(**first))
                statuses.setdefault(path, set()).add(answer.status_code)
                while further := _next(answer):
                    answer = heard.ask("get", further)
    return statuses


def _next(answer: Any) -> str | None:
    """The address of a list's next page."""
    if answer.streaming or answer.headers["Content-Type"] != "application/json":
        return None
    body = answer.json()
    return body.get("next") if isinstance(body, dict) and "results" in body else None


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log as it is written: every line of every logger, with all that its event carries."""
    handler = next(handler for handler in logging.getLogger().handlers if handler.get_name() == "stderr")
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.mark.trap(60)
def test_no_answer_export_stream_or_record_names_a_person(
    project, site_admin, member, api, own_folders, settings, caplog, capfd, lines
):
    caplog.set_level(logging.DEBUG)
    settings.EXPORTS_DIR.mkdir(parents=True, exist_ok=True)
    heard = Heard(api(site_admin))
    ingest = uploaded(heard, project)
    assert Image.objects.count() == PEOPLE
    reasons = {row["code"] for row in heard.ask("get", f"/api/v1/ingests/{ingest.pk}/").json()["reasons"]}
    assert {"archive.not_mammography", "archive.pixel_data_truncated", "archive.path_outside"} <= reasons
    world = a_world(project, ingest, admin=site_admin, reader=member("reader1", Role.READER))
    refusals(heard, ingest, project, world["archives"][0])
    statuses = walked(heard, world)
    assert {path: found for path, found in statuses.items() if found != {200}} == {}
    exports = [piece for piece in heard.pieces if piece[:4] == b"PK\x03\x04"]
    assert len(exports) >= 3  # COCO, CSV, and the folder of the run
    assert IdempotencyKey.objects.count() >= 7

    said = ("".join(capfd.readouterr()) + lines.getvalue()).encode()
    assert b'"status_code": 503' in said  # what was asked of the archive is in a line of the log, without its words
    kept = [path.read_bytes() for path in own_folders.rglob("*") if path.is_file()]
    names = [str(path.relative_to(own_folders)).encode() for path in own_folders.rglob("*")]
    assert left_in(heard.pieces) == set()
    assert left_in([everything(settings, caplog), said, *kept, *names]) == set()
