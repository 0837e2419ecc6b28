"""Data sets that a higher floor can read: recognised as a whole, resumed after a crash."""

import pytest

from archive import importing, incoming, queries, services
from archive.models import Admission, Exam, Image, Patient
from archive.services import Origin
from jobs.models import Job
from jobs.testing import run_queued
from tests.archive.factories import a_mammogram, counts, delivered, file_of

pytestmark = pytest.mark.django_db


class Labelled:
    """A data set of DICOM files with a table beside them; it may die after its first image."""

    def __init__(self) -> None:
        self.dies = False
        self.seen: list[list[str]] = []

    def recognise(self, folder):
        return (folder / "table.csv").exists()

    def run(self, ctx, ingest, folder):
        items = queries.items_by_name(ingest)
        self.seen.append(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.dcm")))
        exams = {}
        for number, (name, item) in enumerate(sorted(items.items()), 1):
            if name == "table.csv":
                services.use_item(item)
                continue
            origin = Origin(dataset="labelled", patient=f"labelled:{number}", number=number, name=name)
            image = services.accept_dataset(folder / name, ingest=ingest, item=item, origin=origin)
            exams[image.exam_id] = image.exam
            if self.dies:
                raise KeyboardInterrupt
        services.admit(ingest.project, exams.values(), splits={"labelled:1": "test"}, labelled=True, tags={})
        return {"labels": len(exams)}


@pytest.fixture
def labelled():
    data_set = Labelled()
    importing.register("labelled", data_set.recognise, data_set.run)
    yield data_set
    del importing.IMPORTERS["labelled"]


def files():
    return [file_of(a_mammogram(patient=name)) for name in "AB"] + [b"name,label"]


NAMES = ["img/1.dcm", "img/2.dcm", "table.csv"]


def test_a_data_set_is_recognised_and_keeps_its_names_and_its_split(project, labelled):
    done = delivered(project, files(), names=NAMES)
    assert done.dataset == "labelled" and counts(done) == {"accepted": 2, "used": 1}
    assert sorted(Image.objects.values_list("source_name", flat=True)) == ["img/1.dcm", "img/2.dcm"]
    assert set(Exam.objects.values_list("source", "label")) == {
        ("dataset:labelled", "labelled-001"),
        ("dataset:labelled", "labelled-002"),
    }
    assert Admission.objects.get(patient__pseudonym="labelled:1").split == "test"
    assert Job.objects.get(kind="archive.ingest").result["labels"] == 2


def test_uids_of_a_public_set_are_kept_and_its_people_are_cleaned_all_the_same(project, labelled):
    ds = a_mammogram(PatientName="Left^Over")
    delivered(project, [ds, b"x"], names=["1.dcm", "table.csv"])
    image = Image.objects.get()
    assert image.sop_uid == ds.SOPInstanceUID and image.exam.study_uid == ds.StudyInstanceUID
    assert Patient.objects.get().pseudonym == "labelled:1"
    assert b"Left^Over" not in queries.object_path(image).read_bytes()


def test_an_importer_that_died_sees_the_whole_folder_again(project, labelled):
    labelled.dies = True
    ingest = services.create_ingest(project, by=None)
    for name, content in zip(NAMES, files(), strict=True):
        services.receive_file(ingest, name, [content])
    services.close_ingest(ingest, by=None)
    with pytest.raises(KeyboardInterrupt):
        run_queued()
    labelled.dies = False
    Job.objects.update(state="queued", lease_token=None, lease_until=None)
    run_queued()
    assert labelled.seen == [["img/1.dcm", "img/2.dcm"]] * 2
    assert counts(ingest) == {"accepted": 2, "used": 1} and not incoming.folder_of(ingest.pk).exists()


def test_dicom_that_was_asked_for_is_not_looked_at_as_a_data_set(project, labelled):
    ingest = services.create_ingest(project, by=None, dataset="dicom")
    services.receive_file(ingest, "table.csv", [b"name"])
    services.close_ingest(ingest, by=None)
    run_queued()
    assert counts(ingest) == {"rejected": 1} and labelled.seen == []
