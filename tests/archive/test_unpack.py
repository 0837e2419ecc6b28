"""Archives that attack, and archives that are only broken."""

import io
import os
import stat
import struct
import zipfile

import pytest

from archive import incoming, services, unpack
from archive.models import ItemState
from jobs.testing import run_queued
from tests.archive.factories import a_mammogram, a_zip, delivered, file_of, outcomes

pytestmark = pytest.mark.django_db


def states(ingest):
    return [(item.state, item.code) for item in ingest.items.order_by("n")]


def test_files_of_a_zip_are_items_of_their_own(project):
    done = delivered(project, [a_zip({"a/1.dcm": file_of(a_mammogram()), "a/2.dcm": file_of(a_mammogram())})])
    assert outcomes(done) == ["accepted", "accepted"]
    assert done.items.filter(state=ItemState.UNPACKED).count() == 1


def test_a_bomb_is_refused_before_it_is_unpacked(project, settings):
    bomb = a_zip({f"{n}.dcm": bytes(60 * 2**20) for n in range(4)})
    assert len(bomb) < 2**20
    done = delivered(project, [bomb, a_mammogram()])
    assert states(done) == [("rejected", "archive.archive_too_large"), ("accepted", "")]


def test_a_zip_of_too_many_files_is_refused(project, monkeypatch):
    monkeypatch.setattr(unpack, "MOST_MEMBERS", 5)
    done = delivered(project, [a_zip({f"{n}": b"x" for n in range(6)})])
    assert outcomes(done) == ["archive.archive_too_large"]


def test_a_zip_larger_than_an_upload_may_be_is_refused(project, settings):
    settings.UPLOAD_LIMIT_BYTES = 100_000
    done = delivered(project, [a_zip({"a": bytes(200_000)})])
    assert outcomes(done) == ["archive.archive_too_large"]


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_said(project):
    packed = bytearray(a_zip({"a.dcm": bytes(5_000_000)}))
    at = packed.rfind(b"PK\x01\x02")
    packed[at + 24 : at + 28] = struct.pack("<I", 1000)
    assert outcomes(delivered(project, [bytes(packed)])) == ["archive.archive_damaged"]


def test_an_archive_inside_an_archive_is_refused(project):
    inner = a_zip({"a.dcm": file_of(a_mammogram())})
    done = delivered(project, [a_zip({"inner.zip": inner, "b.dcm": file_of(a_mammogram())})])
    assert outcomes(done) == ["archive.nested_archive", "accepted"]


@pytest.mark.trap(57)
@pytest.mark.parametrize(
    "name", ["../../evil.dcm", "/etc/evil.dcm", "a/../../evil.dcm", "..\\evil.dcm", "C:\\evil.dcm"]
)
def test_no_member_is_written_outside(project, settings, tmp_path, name):
    before = set(tmp_path.parent.rglob("*evil*"))
    done = delivered(project, [a_zip({name: file_of(a_mammogram()), "fine.dcm": file_of(a_mammogram())})])
    assert outcomes(done) == ["archive.path_outside", "accepted"]
    assert set(tmp_path.parent.rglob("*evil*")) == before


@pytest.mark.trap(57)
@pytest.mark.parametrize(
    "name", ["../../evil.dcm", "/etc/evil.dcm", "..\\..\\evil.dcm", "C:\\evil.dcm", "a/b/../../../evil", "evil\0.dcm",
             "evil" * 200, "evil/" * 50 + "x", "...", ""],
)  # fmt: skip
def test_a_file_is_kept_under_a_number_whatever_it_is_called(project, settings, tmp_path, name):
    """Also where its name counts, as in a data set: the tree of names stays inside the ingest's folder."""
    before = set(tmp_path.parent.rglob("*evil*"))
    ingest = services.create_ingest(project, by=None)
    services.receive_file(ingest, name, [file_of(a_mammogram())])
    tree = incoming.lay_out(ingest.pk, [1])
    laid = [path for path in tree.rglob("*") if path.is_file()]
    assert len(laid) == 1 and laid[0].resolve().is_relative_to(incoming.folder_of(ingest.pk).resolve())
    outside = set(tmp_path.parent.rglob("*evil*")) - before
    assert all(path.is_relative_to(incoming.folder_of(ingest.pk)) for path in outside)
    services.close_ingest(ingest, by=None)
    run_queued()
    assert outcomes(ingest) == ["accepted"]


def test_links_are_refused(project):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link.dcm")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert outcomes(delivered(project, [buffer.getvalue()])) == ["archive.path_outside"]


def test_a_very_deep_path_is_refused(project):
    done = delivered(project, [a_zip({"/".join(["d"] * 30) + "/a.dcm": file_of(a_mammogram())})])
    assert outcomes(done) == ["archive.path_outside"]


def test_a_locked_member_is_refused_and_the_others_taken(project):
    packed = bytearray(a_zip({"a.dcm": file_of(a_mammogram())}))
    at = packed.rfind(b"PK\x01\x02")
    packed[at + 8] |= 1
    packed[6] |= 1
    assert outcomes(delivered(project, [bytes(packed)])) == ["archive.archive_damaged"]


@pytest.mark.parametrize("cut", [10, 200, -30])
def test_a_broken_zip_is_rejected_with_its_code(project, cut):
    packed = a_zip({"a.dcm": file_of(a_mammogram())})
    assert outcomes(delivered(project, [packed[:cut]])) == ["archive.archive_damaged"]


def test_a_member_that_fails_its_checksum_is_rejected_alone(project):
    packed = bytearray(a_zip({"a.dcm": os.urandom(2000), "b.dcm": file_of(a_mammogram())}))
    packed[500] ^= 0xFF
    assert outcomes(delivered(project, [bytes(packed)])) == ["archive.archive_damaged", "accepted"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.dcm", "a/b.dcm"), ("../../etc/passwd", "etc/passwd"), ("/abs/x", "abs/x"), ("a\\..\\b", "a/b"),
        ("C:\\x.dcm", "C/x.dcm"), ("a\x00b\n.dcm", "ab.dcm"), ("", ""), ("....//x", "..../x"),
    ],
)  # fmt: skip
def test_names_stay_where_they_are_put(name, safe):
    assert incoming.safe_name(name) == safe
