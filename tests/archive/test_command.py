"""`manage.py ingest`."""

import io

import pytest
from django.core.management import CommandError, call_command

from archive.models import Admission, Ingest
from tests.archive.factories import a_mammogram, a_zip, file_of

pytestmark = pytest.mark.django_db


def ingest(*arguments: object, **options: object) -> str:
    said = io.StringIO()
    call_command("ingest", *map(str, arguments), stdout=said, **options)
    return said.getvalue()


def test_files_folders_and_archives_are_taken_and_told_of(project, site_admin, tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "one.dcm").write_bytes(file_of(a_mammogram()))
    (tmp_path / "folder" / "notes.txt").write_text("hello")
    (tmp_path / "packed.zip").write_bytes(a_zip({"two.dcm": file_of(a_mammogram(patient="B"))}))
    said = ingest(tmp_path / "folder", tmp_path / "packed.zip", project=project.slug, username=site_admin.username)
    assert said.startswith("2 accepted, 0 duplicate, 1 rejected; 2 exams.")
    assert "1 x archive.not_dicom: This file is not DICOM." in said
    assert Admission.objects.count() == 2
    assert Ingest.objects.get().created_by == site_admin and Ingest.objects.get().channel == "command"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"project": "nope"}, "There is no project nope"),
        ({"username": "nobody"}, "There is no account nobody"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(project, tmp_path, options, sentence):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(CommandError, match=sentence):
        ingest(tmp_path / "a", **{"project": project.slug, **options})
    assert not Ingest.objects.exists()


def test_a_path_that_is_not_there_is_named(project):
    with pytest.raises(CommandError, match="nowhere"):
        ingest("/nowhere", project=project.slug)
