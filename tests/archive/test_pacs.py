"""Archives of others: a real Orthanc, a server that misbehaves, and addresses that must not be called."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from accounts.models import Role
from archive import address, credentials, queries, services
from archive.errors import (
    AddressRefused,
    ArchiveBusy,
    ArchiveDown,
    ArchiveNonsense,
    ArchiveRefuses,
    ArchiveSlow,
    CredentialsUnreadable,
    StudyMissing,
)
from archive.models import Archive, Exam, Image, Ingest
from archive.pacs import client
from archive.pacs.outbound import Outbound
from jobs.models import Job, JobState
from jobs.testing import run_queued
from ml.pixels.decode import decode
from tests.archive.factories import a_mammogram, breast, counts, file_of
from tests.support.misbehaving import Misbehaving, a_misbehaving_server
from tests.support.orthanc import an_orthanc, sent_to
from tests.support.platform import free_port

pytestmark = pytest.mark.django_db


# --- a real one -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def orthanc(require_tool, tmp_path_factory) -> Iterator[str]:
    """The DICOMweb root of a fresh Orthanc that wants a password."""
    program = require_tool("Orthanc")
    plugin = next(iter(Path("/usr").glob("share/orthanc/plugins/libOrthancDicomWeb*")), None)
    if plugin is None:
        pytest.skip("Orthanc's DICOMweb plugin is not on this machine")
    with an_orthanc(program, plugin, tmp_path_factory.mktemp("orthanc")) as url:
        yield url


@pytest.fixture
def pacs(orthanc, site_admin) -> Archive:
    return services.create_archive(name="PACS", url=orthanc, username="mammo", password="secret", by=site_admin)


@pytest.fixture
def site(api, site_admin):
    return api(site_admin)


def test_an_archive_is_tried_and_searched(site, pacs, orthanc):
    study = generate_uid()
    sent_to(orthanc, a_mammogram(study=study, patient="FIND-ME", PatientName="Searched^Sarah"))
    assert site.post(f"/api/v1/archives/{pacs.pk}/echo/").json() == {"ok": True}
    found = site.post(f"/api/v1/archives/{pacs.pk}/search/", {"PatientID": "FIND-ME"}).json()["results"]
    assert [(row["study_uid"], row["patient_name"]) for row in found] == [(study, "Searched^Sarah")]
    assert site.post(f"/api/v1/archives/{pacs.pk}/search/", {"PatientID": "NOBODY"}).json()["results"] == []


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.202"]
)
def test_exams_are_pulled_with_every_pixel_and_without_the_person(site, pacs, orthanc, project, syntax):
    study, pixels = generate_uid(), breast(130, 120, seed=7)
    sent_to(
        orthanc,
        a_mammogram(study=study, pixels=pixels, syntax=syntax, PatientName="Pulled^Paula"),
        a_mammogram(study=study, laterality="L", syntax=syntax),
    )
    body = {"project": str(project.pk), "studies": [study]}
    job = site.post(f"/api/v1/archives/{pacs.pk}/pull/", body).json()["job"]
    assert [ran.state for ran in run_queued()] == [JobState.DONE] * 3
    result = Job.objects.get(pk=job["id"]).result
    assert result["fetched"] == 2
    assert Job.objects.get(pk=job["id"]).message == "Fetched 2 images of 1 exam."
    assert counts(Ingest.objects.get(pk=result["ingest"])) == {"accepted": 2}
    image = Image.objects.get(laterality="R")
    assert (decode(queries.object_path(image)).pixels == pixels).all()
    assert b"Paula" not in queries.object_path(image).read_bytes()
    assert Exam.objects.get().study_uid != study
    assert study not in repr(list(Job.objects.values())) + site.get(f"/api/v1/jobs/{job['id']}/").content.decode()


def test_a_study_that_is_gone_is_said_to_be(site, pacs, project):
    body = {"project": str(project.pk), "studies": ["1.2.3.4.5"]}
    job = site.post(f"/api/v1/archives/{pacs.pk}/pull/", body).json()["job"]
    run_queued()
    ended = Job.objects.get(pk=job["id"])
    assert ended.state == JobState.FAILED and ended.error["code"] == "archive.remote_study_missing"


def test_a_wrong_password_is_said_to_be(site, pacs):
    site.patch(f"/api/v1/archives/{pacs.pk}/", {"password": "wrong"})
    answer = site.post(f"/api/v1/archives/{pacs.pk}/echo/")
    assert answer.status_code == 409 and answer.json()["code"] == "archive.remote_refuses"


def test_a_pull_that_was_killed_goes_on_behind_what_it_has(site, pacs, orthanc, project):
    study = generate_uid()
    sent_to(orthanc, *(a_mammogram(study=study, laterality=side) for side in "RL"))
    first = client.instances_of(pacs, study)[0]
    body = {"project": str(project.pk), "studies": [study]}
    site.post(f"/api/v1/archives/{pacs.pk}/pull/", body)
    ingest = Ingest.objects.get(channel="pacs")
    services.receive_file(ingest, "", [file_of(client.fetch(pacs, first))])
    run_queued()
    assert counts(ingest) == {"accepted": 2}


# --- one that misbehaves ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def misbehaving() -> Iterator[str]:
    with a_misbehaving_server() as url:
        yield url


def an_archive(url: str, **said: object) -> Archive:
    return Archive(name="X", url=url, timeout_seconds=said.pop("timeout_seconds", 5), **said)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("401", ArchiveRefuses), ("403", ArchiveRefuses), ("404", ArchiveNonsense), ("400", ArchiveNonsense),
        ("500", ArchiveBusy), ("503", ArchiveBusy), ("429", ArchiveBusy), ("page", ArchiveNonsense),
        ("list", ArchiveNonsense), ("half", ArchiveDown), ("empty", ArchiveNonsense), ("redirect", ArchiveNonsense),
        ("hangup", ArchiveDown),
    ],
)  # fmt: skip
def test_every_way_to_misbehave_has_its_clear_error(misbehaving, mode, error):
    with pytest.raises(error) as raised:
        client.echo(an_archive(f"{misbehaving}/{mode}"))
    assert type(raised.value) is error


def test_an_archive_that_does_not_answer_in_time_is_slow(misbehaving, monkeypatch):
    with pytest.raises(ArchiveSlow):
        client.echo(an_archive(f"{misbehaving}/slow", timeout_seconds=0.2))


def test_an_archive_that_trickles_for_ever_is_slow(misbehaving, monkeypatch):
    monkeypatch.setattr("archive.pacs.outbound.PATIENCE", 1)
    monkeypatch.setattr("archive.pacs.outbound._CHUNK", 1)
    with pytest.raises(ArchiveSlow):
        client.echo(an_archive(f"{misbehaving}/trickle", timeout_seconds=0.3))


def test_an_archive_that_is_off_is_down():
    with pytest.raises(ArchiveDown):
        client.echo(an_archive(f"http://127.0.0.1:{free_port()}/dicom-web"))
    with pytest.raises(ArchiveDown):
        client.echo(an_archive("http://no-such-host.invalid/dicom-web"))


def test_what_may_pass_is_tried_again_and_what_may_not_is_not():
    assert all(error.transient for error in (ArchiveDown, ArchiveSlow, ArchiveBusy))
    assert not any(error.transient for error in (ArchiveRefuses, ArchiveNonsense, StudyMissing, AddressRefused))


def test_the_servers_own_environment_lends_no_proxy_and_no_password(misbehaving, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stolen password stolen\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Misbehaving.heard.clear()
    with pytest.raises(ArchiveNonsense):
        client.echo(an_archive(f"{misbehaving}/page"))
    assert Misbehaving.heard == [""]


# --- addresses --------------------------------------------------------------------------------------------------
@pytest.mark.trap(54)
@pytest.mark.parametrize(
    ("text", "networks", "private", "allowed"),
    [
        ("127.0.0.1", [], False, False), ("::1", [], False, False), ("::ffff:127.0.0.1", [], False, False),
        ("169.254.169.254", [], False, False), ("0.0.0.0", [], False, False), ("224.0.0.1", [], True, False),
        ("127.0.0.1", [], True, True), ("127.0.0.1", ["127.0.0.0/8"], False, True),
        ("10.1.2.3", [], False, False), ("10.1.2.3", [], True, True), ("93.184.216.34", [], False, True),
        ("10.1.2.3", ["10.1.0.0/16"], False, True), ("100.64.1.1", [], False, False), ("fc00::1", [], False, False),
        ("10.1.2.3", ["10.2.0.0/16"], False, False), ("93.184.216.34", ["10.0.0.0/8"], True, False),
    ],
)  # fmt: skip
def test_which_addresses_may_be_called(settings, text, networks, private, allowed):
    import ipaddress

    settings.PACS_ALLOW_PRIVATE = private
    assert address.allowed(ipaddress.ip_address(text), networks) is allowed


@pytest.mark.trap(54)
def test_loopback_is_refused_when_it_is_connected_to(misbehaving, settings):
    settings.PACS_ALLOW_PRIVATE = False
    with pytest.raises(AddressRefused):
        client.echo(an_archive(f"{misbehaving}/page"))
    with pytest.raises(ArchiveNonsense):  # listed by the administrator, so it is called
        client.echo(an_archive(f"{misbehaving}/page", networks=["127.0.0.1/32"]))


@pytest.mark.trap(54)
def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(misbehaving, monkeypatch):
    """DNS rebinding: the name is resolved once per connection, and what was checked is what is called."""
    real, asked = socket.getaddrinfo, []

    def rebinding(host, port, *args, **kwargs):
        if host == "pacs.example.org":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = misbehaving.rpartition(":")[2]
    with Outbound(networks=["127.0.0.1/32"], timeout_seconds=2) as session:
        assert session.get(f"http://pacs.example.org:{port}/page").status_code == 200
    assert asked == ["pacs.example.org"]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://x/", "http://", "http://user:pw@host/", "http://h/?a=b", "http://h:99999/", "//h"],
)
def test_an_address_that_is_none_is_refused(site, url):
    answer = site.post("/api/v1/archives/", {"name": "X", "url": url})
    assert answer.status_code == 422 and answer.json()["code"] == "archive.address_refused"


# --- passwords --------------------------------------------------------------------------------------------------
def test_a_password_is_stored_locked_and_never_shown(site, site_admin):
    body = {"name": "P", "url": "https://pacs.example.org/", "username": "u", "password": "hunter22"}
    made = site.post("/api/v1/archives/", body)
    assert made.status_code == 201 and made.json()["has_password"] is True
    assert "hunter22" not in made.content.decode() + site.get("/api/v1/archives/").content.decode()
    row = Archive.objects.get()
    assert b"hunter22" not in bytes(row.secret) and credentials.unlock(bytes(row.secret)) == "hunter22"


def test_a_new_address_does_not_get_the_old_password(site, site_admin):
    body = {"name": "P", "url": "https://pacs.example.org/", "username": "u", "password": "hunter22"}
    made = site.post("/api/v1/archives/", body).json()
    changed = site.patch(f"/api/v1/archives/{made['id']}/", {"url": "https://evil.example.org/"}).json()
    assert changed["has_password"] is False
    kept = site.patch(f"/api/v1/archives/{made['id']}/", {"password": "new", "url": "https://c.example.org/"}).json()
    assert kept["has_password"] is True


def test_a_password_locked_with_another_secret_is_asked_for_again(settings, tmp_path):
    locked = credentials.lock("x")
    settings.SECRETS_DIR = tmp_path
    with pytest.raises(CredentialsUnreadable):
        credentials.unlock(locked)


@pytest.mark.trap(62)
def test_only_site_administrators_see_archives(api, member, site_admin):
    services.create_archive(name="P", url="https://pacs.example.org/", by=site_admin)
    assert api(member("an-admin", Role.ADMIN)).get("/api/v1/archives/").status_code == 403


def test_two_archives_cannot_have_one_name(site):
    body = {"name": "P", "url": "https://pacs.example.org/"}
    assert site.post("/api/v1/archives/", body).status_code == 201
    assert site.post("/api/v1/archives/", body).status_code == 409


@pytest.mark.trap(47)
def test_instances_are_listed_and_fetched_one_by_one(pacs, orthanc):
    study = generate_uid()
    sent_to(orthanc, *(a_mammogram(study=study) for _ in range(3)))
    instances = client.instances_of(pacs, study)
    assert len({instance.sop for instance in instances}) == 3
    assert client.fetch(pacs, instances[1]).SOPInstanceUID == instances[1].sop
