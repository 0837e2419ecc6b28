"""Nothing that names a person comes through; what describes the device and the image does."""

import base64
import json
import logging
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from archive import deidentify, queries, services
from archive.deidentify import keys, table
from archive.models import Exam, Image, IngestItem
from core.models import AuditEvent
from jobs.models import Job
from jobs.testing import run_queued
from tests.archive.factories import a_mammogram, a_zip, delivered, file_of
from tests.archive.identities import FILE_NAME, FOLDER, IDENTITIES, MEMBER, ZIP_NAME, left_in, planted, words


def everything(settings, caplog) -> bytes:
    """All that is left after an import: the whole database, every file, every log line."""
    with connection.cursor() as cursor:
        rows = []
        for name in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{name}"')
            rows += [repr(row) for row in cursor.fetchall()]
    folders = (settings.STORE_DIR, settings.INCOMING_DIR, settings.DERIVED_DIR)
    files = [path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file()]
    names = "\n".join(str(path) for path in files)
    return "\n".join([*rows, caplog.text, names]).encode() + b"".join(path.read_bytes() for path in files)


@pytest.mark.django_db
def test_thirty_planted_identities_are_found_nowhere(project, settings, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    assert len(IDENTITIES) >= 30
    second, bad = planted(StudyInstanceUID=generate_uid()), planted(SOPInstanceUID=generate_uid(), Modality="CT")
    ingest = services.create_ingest(project, by=None)
    services.receive_file(ingest, f"{FOLDER}/{IDENTITIES['PatientID']}/{FILE_NAME}", [file_of(planted())])
    services.receive_file(ingest, ZIP_NAME, [a_zip({f"{FOLDER}/{MEMBER}": file_of(second)})])
    services.receive_file(ingest, FILE_NAME, [file_of(bad)])
    services.receive_file(ingest, FILE_NAME, [file_of(planted())[:2000]])
    services.close_ingest(ingest, by=None)
    run_queued()
    assert Image.objects.count() == 2
    assert left_in([everything(settings, caplog), "".join(capfd.readouterr()).encode()]) == set()


def test_the_search_itself_finds_a_word_in_every_wrapping():
    """Or nothing found would mean nothing."""
    said = "\n".join(words())
    wrappings = [said.encode(), said.lower().encode(), json.dumps(said).encode(), said.encode("utf-16-le"),
                 said.encode("utf-16-be"), repr(json.dumps(said)).encode(), quote(said).encode()]  # fmt: skip
    long = {word for word in words() if len(word) > 3}
    for wrapped in wrappings:
        assert left_in([wrapped]) >= long
    for skipped in range(3):
        assert left_in([base64.b64encode(b"x" * skipped + said.encode())]) >= {"KHX-4711-0815", "Müller-Lüdenscheidt"}
    assert left_in([a_zip({"a.zip": a_zip({MEMBER: b""})})]) >= {"Björk", "Sólveig"}
    assert left_in([file_of(planted())]) >= {"KHX-4711-0815", "Quasimodo", "Иванова"}
    assert left_in([file_of(a_mammogram())]) <= {"20230405"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "text", "stays"),
    [
        ("Doe^Jane", "window of JANE", False), ("Lee^Ann", "by Lee", False), ("Lee^Ann", "Sleek", True),
        ("Wu^Xi", "set by Wu.", False), ("山田^花子", "山田さん用", False), ("김^철수", "김 철수", False),
        ("Müller^Eva", "MUELLER", False), ("Müller^Eva", "muller", False), ("Bjørnstad^Åse", "bjoernstad", False),
        ("Doe^Jane", "HARDER", True), ("CC^MG", "MG CC", True),
    ],
)  # fmt: skip
def test_a_name_in_the_words_of_a_device_goes_however_short_and_however_spelt(project, name, text, stays):
    said = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name, "WindowCenterWidthExplanation": ["NORMAL", text]}
    delivered(project, [a_mammogram(**said, ManufacturerModelName=text)])
    kept = dcmread(queries.object_path(Image.objects.get()))
    assert ("WindowCenterWidthExplanation" in kept, "ManufacturerModelName" in kept) == (stays, stays)
    assert (kept.ImageLaterality, kept.ViewPosition, kept.Modality) == ("R", "CC", "MG")


@pytest.mark.django_db
def test_original_uids_are_nowhere(project, settings, caplog):
    ds = a_mammogram()
    delivered(project, [ds])
    left = everything(settings, caplog)
    for uid in (ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID):
        assert uid.encode() not in left


@pytest.mark.django_db
def test_device_age_and_acquisition_stay(project):
    delivered(project, [a_mammogram(KVP=28, AnodeTargetMaterial="TUNGSTEN", PatientAge="062Y", BodyPartThickness=52)])
    kept = dcmread(queries.object_path(Image.objects.get()))
    assert (kept.Manufacturer, kept.ManufacturerModelName, kept.DeviceSerialNumber) == ("ACME", "Mammo 3000", "SN-77")
    assert (kept.KVP, kept.AnodeTargetMaterial, kept.PatientAge, kept.PatientSex) == (28, "TUNGSTEN", "062Y", "F")
    assert kept.PatientName == kept.PatientID == Exam.objects.get().patient.pseudonym
    assert kept.PatientBirthDate == "" and kept.StudyTime == ""


@pytest.mark.django_db
def test_the_file_says_how_it_was_deidentified(project):
    delivered(project, [a_mammogram()])
    kept = dcmread(queries.object_path(Image.objects.get()))
    assert kept.PatientIdentityRemoved == "YES" and kept.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = {item.CodeValue for item in kept.DeidentificationMethodCodeSequence}
    assert codes == {"113100", "113107", "113108", "113109"}
    assert table.EDITION in kept.DeidentificationMethod


@pytest.mark.django_db
def test_the_time_between_two_exams_of_a_patient_stays_and_the_date_does_not(project):
    delivered(project, [a_mammogram(StudyDate="20200101"), a_mammogram(StudyDate="20230101")])
    first, second = sorted(Exam.objects.values_list("date", flat=True))
    assert second - first == timedelta(days=1096)
    assert str(first) != "2020-01-01"


@pytest.mark.django_db
def test_a_patient_without_a_number_is_another_one_in_each_study(project):
    delivered(project, [a_mammogram(patient=""), a_mammogram(patient="")])
    assert Exam.objects.values("patient").distinct().count() == 2


@pytest.mark.django_db
def test_references_between_images_of_an_exam_stay_whole(project):
    first, second = a_mammogram(), a_mammogram(laterality="L")
    pointer = Dataset()
    pointer.ReferencedSOPClassUID, pointer.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    second.SourceImageSequence = Sequence([pointer])
    delivered(project, [first, second])
    images = list(Image.objects.order_by("id"))
    kept = dcmread(queries.object_path(images[1]))
    assert kept.SourceImageSequence[0].ReferencedSOPInstanceUID == images[0].sop_uid


@pytest.mark.django_db
def test_nothing_hides_behind_the_pixels_or_before_the_header(project):
    ds = a_mammogram()
    ds.PixelData = ds.PixelData + b"Jane Doe, 3 Feb 1961"
    delivered(project, [ds])
    content = queries.object_path(Image.objects.get()).read_bytes()
    assert b"Jane Doe" not in content and content[:128] == bytes(128)


@pytest.mark.django_db
def test_names_in_errors_and_audit_are_never_those_of_files(project):
    delivered(project, [b"junk", a_mammogram(Modality="Mueller Anna")], names=["Mueller_Anna.dcm"] * 2)
    told = repr(list(IngestItem.objects.values())) + repr(list(AuditEvent.objects.values()))
    told += repr(list(Job.objects.values()))
    assert "Mueller" not in told


# --- the table and the keys -------------------------------------------------------------------------------------
def test_the_table_names_its_edition_and_covers_the_standards_rows():
    exact, repeating = table.rules()
    assert len(exact) + len(repeating) == 620
    assert {rule.action for rule in exact.values()} <= set("DZXKCU")
    assert "2024b" in str(table._FILE.name)


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        (0x00100010, "Z"), (0x00100020, "D"), (0x00080050, "Z"), (0x00081030, "X"), (0x00080018, "U"),
        (0x00101010, "K"), (0x00080020, "C"), (0x60021500, None), (0x60023000, "X"), (0x50041234, "X"),
        (0x00280010, None),
    ],
)  # fmt: skip
def test_rows_of_the_table_are_found_by_tag(tag, action):
    rule = table.rule_of(tag)
    assert (rule.action if rule else None) == action


@given(st.from_regex(r"[0-9]{1,10}(\.[0-9]{1,10}){2,4}", fullmatch=True))
def test_keyed_uids_are_legal_stable_and_say_nothing(uid):
    made = deidentify.keyed_uid(uid)
    assert made == deidentify.keyed_uid(uid) and made != uid
    assert made.startswith("2.25.") and len(made) <= 64 and made[5:].isdecimal() and made[5] != "0"


def test_another_installation_gives_other_pseudonyms(monkeypatch, settings, tmp_path):
    here = (keys.pseudonym("1"), keys.keyed_uid("1.2"), keys.shift_of("P-1"))
    settings.SECRETS_DIR = tmp_path
    assert all(a != b for a, b in zip(here, (keys.pseudonym("1"), keys.keyed_uid("1.2"), keys.shift_of("P-1")),
                                      strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("said", "years"),
    [
        ({"PatientAge": "045Y"}, 45), ({"PatientAge": "093Y"}, 90), ({"PatientAge": "000Y"}, 62),
        ({"PatientAge": "030M", "PatientBirthDate": None}, 2), ({"PatientBirthDate": "00000000"}, None),
        ({"PatientBirthDate": "19610406"}, 61), ({"PatientBirthDate": None}, None), ({"PatientAge": "001D"}, 62),
    ],
)  # fmt: skip
def test_ages_are_whole_years_and_ninety_at_most(said, years):
    assert deidentify.age_years(a_mammogram(**said)) == years
