"""Phantoms: their split and their truth come with them."""

import json

import pytest

from annotations.models import Purpose, Reading, WorkItem
from archive.models import Admission, Image, IngestItem
from exchange.importers import phantoms
from ml.simulation.dicom import write_exam
from ml.simulation.model import FindingSpec
from ml.simulation.phantom import exam
from tests.exchange.test_mini_mias import states, take_in


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two small exams: one with a mass and calcifications, for validation, one normal, for training."""
    folder = tmp_path_factory.mktemp("phantoms")
    sick = exam(1, density="c", findings=(FindingSpec("mass", "L", "irregular"), FindingSpec("calcification", "R")),
                spacing_mm=1.0)  # fmt: skip
    write_exam(sick, folder / "one", split="val")
    write_exam(exam(2, density="a", spacing_mm=1.0), folder / "two", split="train")
    return folder


@pytest.fixture
def imported(project, admin, var_dir, cohort):
    return take_in(project, cohort, admin)


def truth_of(cohort, name):
    return json.loads((cohort / name / "truth.json").read_text())["exams"][0]


def test_phantoms_are_recognised_and_bring_their_split(project, imported, cohort):
    assert phantoms.recognise(cohort)
    assert states(imported) == ["accepted"] * 8 + ["used"] * 2
    splits = dict(Admission.objects.filter(project=project).values_list("exam__study_uid", "split"))
    assert splits == {
        truth_of(cohort, name)["study_instance_uid"]: split for name, split in (("one", "val"), ("two", "train"))
    }
    assert dict(WorkItem.objects.values_list("exam__study_uid", "tier")) == {
        study: int(split == "train") for study, split in splits.items()
    }


def test_their_truth_becomes_reference_readings_with_marks_in_both_views(imported, cohort):
    truth = truth_of(cohort, "one")
    reading = Reading.objects.get(purpose=Purpose.REFERENCE, exam__study_uid=truth["study_instance_uid"])
    document = reading.completed_document
    assert {breast["density"] for breast in document["breasts"].values()} == {"c"}
    uids = {str(image.pk): image.sop_uid for image in Image.objects.all()}
    marks = {
        (finding["type"], uids[mark["image_id"]]): mark["geometry"]
        for finding in document["findings"].values()
        for mark in finding["marks"].values()
    }
    wanted = {
        (finding["type"], uid): mark["geometry"]
        for finding in truth["findings"]
        for uid, found in finding["marks"].items()
        for mark in found
    }
    assert marks == wanted
    assert reading.source == "dataset:phantoms"


def test_phantoms_again_are_duplicates(project, admin, imported, cohort):
    again = take_in(project, cohort, admin)
    assert states(again) == ["duplicate"] * 8 + ["used"] * 2
    assert Admission.objects.count() == 2


def test_a_truth_that_is_not_ours_is_no_phantom(tmp_path, cohort):
    (tmp_path / "truth.json").write_text(json.dumps({"schema": "other/1.0", "exams": []}))
    assert not phantoms.recognise(tmp_path)
    (tmp_path / "truth.json").write_text("{")
    assert not phantoms.recognise(tmp_path)


def test_the_command_takes_a_set_into_a_project_of_its_own(admin, var_dir, cohort, tmp_path, capsys):
    from django.core.management import CommandError, call_command

    from accounts.models import Project
    from jobs.testing import run_queued

    call_command("import_dataset", "phantoms", str(cohort))
    run_queued()
    told = capsys.readouterr().out
    assert "8 accepted" in told
    assert Admission.objects.filter(project=Project.objects.get(slug="phantoms")).count() == 2
    assert IngestItem.objects.filter(state="waiting").count() == 0
    with pytest.raises(CommandError, match="not the data set"):
        call_command("import_dataset", "mini-mias", str(tmp_path))
    with pytest.raises(CommandError, match="no project"):
        call_command("import_dataset", "phantoms", str(cohort), project="nowhere")
