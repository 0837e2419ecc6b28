"""What becomes of files: accepted, duplicate, or rejected with the first reason that holds."""

import errno

import numpy as np
import pytest
from pydicom.uid import generate_uid

from archive import incoming, ingest, queries, services, store
from archive.models import Admission, Exam, Image, IngestState, Patient
from archive.signals import exam_changed, exams_admitted
from core.errors import MoveRefused
from jobs.handlers import Cancelled
from jobs.models import Job
from jobs.testing import run_queued
from ml.pixels.decode import decode
from tests.archive.factories import PROCESSING, a_mammogram, a_zip, breast, counts, delivered, file_of, outcomes

pytestmark = pytest.mark.django_db

MG_DICOM = {
    "ge_r_mlo_forpresentation_jpegll.dcm": "accepted",
    "stereo_l_cc_outofbounds_overlay.dcm": "accepted",
    "pixelspacing_testpattern_8bit.dcm": "accepted",
    "ge_seno1_l_cc_forpresentation_1x2.dcm": "archive.too_small",
    "ge_seno1_l_cc_forprocessing_mono1_1x2.dcm": "archive.too_small",
    "ge_sends_forprocessing_mono1_4x4_utf8.dcm": "archive.too_small",
    "not_mg_hologic_dose_report_sr.dcm": "archive.not_mammography",
    "not_mg_ddsm_film_l_mlo_rg_j2k_lossy.dcm": "archive.not_mammography",
    "not_mg_ddsm_film_l_mlo_rg_jpegext12_lossy.dcm": "archive.not_mammography",
    "hologic_dbt_4frames_j2k.dcm": "archive.multiframe_unsupported",
    "hologic_sc_flatfield_mono1.dcm": "archive.no_pixel_data",
    "truncated_copy_of_ge_r_mlo.dcm": "archive.pixel_data_truncated",
}


def test_the_twelve_real_files_end_as_they_should(project, shared_data):
    files = sorted((shared_data / "mg-dicom").glob("*.dcm"))
    done = delivered(project, files)
    assert dict(zip((file.name for file in files), outcomes(done), strict=True)) == MG_DICOM
    assert not incoming.folder_of(done.pk).exists()
    assert all(image.derived_at for image in Image.objects.all())


def test_a_mammogram_is_catalogued_with_what_its_header_says(project):
    delivered(project, [a_mammogram(laterality="L", view="MLO", EstimatedRadiographicMagnificationFactor=1.4)])
    image = Image.objects.get()
    assert (image.laterality, image.view, image.rows, image.cols, image.bits_stored) == ("L", "MLO", 96, 80, 12)
    assert image.spacing_row_mm == pytest.approx(0.05) and image.spacing_source == "imager"
    assert [window["center"] for window in image.windows] == [2048, 1500]
    assert image.exam.age_years == 62 and image.exam.source == ""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"Modality": "CR"}, "archive.not_mammography"),
        ({"Modality": "CR", "NumberOfFrames": 3}, "archive.not_mammography"),
        ({"PixelData": None}, "archive.no_pixel_data"),
        ({"NumberOfFrames": 3}, "archive.multiframe_unsupported"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "archive.not_mammography"),
        ({"Rows": 60}, "archive.too_small"),
        ({"Rows": 60000, "Columns": 60000}, "archive.image_too_large"),
        ({"StudyInstanceUID": None}, "archive.identity_missing"),
        ({"Rows": 200}, "archive.pixel_data_truncated"),
    ],
)
def test_the_first_reason_that_holds_is_given(project, said, code):
    assert outcomes(delivered(project, [a_mammogram(**said)])) == [code]


def test_pixels_in_a_form_that_nobody_reads_are_refused(project):
    ds = a_mammogram(syntax="1.2.840.10008.1.2.4.90")
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.103"
    assert outcomes(delivered(project, [ds])) == ["archive.syntax_unreadable"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(400), bytes(4000)])
def test_what_is_no_dicom_is_said_to_be_none(project, content):
    assert outcomes(delivered(project, [content])) == ["archive.not_dicom"]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80"])
@pytest.mark.parametrize("kept", [0.6, 0.999])
def test_a_cut_file_is_rejected_though_the_reader_library_raises_nothing(project, syntax, kept):
    whole = file_of(a_mammogram(syntax=syntax, pixels=breast(256, 200)))
    assert outcomes(delivered(project, [whole[: int(len(whole) * kept)]])) == ["archive.pixel_data_truncated"]


def test_a_header_without_what_pixels_need_is_refused(project):
    assert outcomes(delivered(project, [a_mammogram(BitsAllocated=None)])) == ["archive.syntax_unreadable"]


def test_a_deflated_bomb_is_refused_before_it_fills_the_memory(project, monkeypatch):
    monkeypatch.setattr("archive.container.MOST_BYTES", 2**22)
    bomb = a_mammogram(syntax="1.2.840.10008.1.2.1.99", pixels=np.zeros((2000, 2000), np.uint16))
    assert len(file_of(bomb)) < 2**16
    assert outcomes(delivered(project, [bomb])) == ["archive.image_too_large"]


def test_a_full_disk_rejects_no_file(project, settings, monkeypatch):
    """The disk fills while the job runs: what was acknowledged waits, and goes on when there is room."""
    done = services.create_ingest(project, by=None)
    services.receive_file(done, "", [file_of(a_mammogram())])
    services.close_ingest(done, by=None)

    def full(part, chunks):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, "_write", full)
        run_queued()
    assert counts(done) == {"waiting": 1} and incoming.file_of(done.pk, 1).exists()
    job = Job.objects.get(kind="archive.ingest")
    assert job.state == "queued" and job.error["code"] == "archive.disk_full"
    Job.objects.update(not_before=done.created_at)
    run_queued()
    assert counts(done) == {"accepted": 1}


SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG lossless, any predictor": "1.2.840.10008.1.2.4.57",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
    "HTJ2K RPCL": "1.2.840.10008.1.2.4.202",
}


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_every_lossless_form_is_stored_with_the_same_pixels(project, syntax):
    pixels = breast(seed=3)
    delivered(project, [a_mammogram(pixels=pixels, syntax=syntax)])
    decoded = decode(queries.object_path(Image.objects.get()))
    assert np.array_equal(decoded.pixels, pixels.astype(np.float32))


def test_twelve_bits_of_lossy_jpeg_are_read(project):
    ds = a_mammogram(syntax="1.2.840.10008.1.2.4.51", LossyImageCompression="01")
    assert outcomes(delivered(project, [ds])) == ["accepted"]
    assert "lossy" in Image.objects.get().flags


def test_an_unknown_side_or_view_is_accepted_and_flagged(project):
    delivered(project, [a_mammogram(ImageLaterality=None, ViewPosition=None, ViewCodeSequence=None)])
    image = Image.objects.get()
    assert (image.laterality, image.view) == ("", "")
    assert {"laterality_unknown", "view_unknown"} <= set(image.flags)


@pytest.mark.trap(12)
def test_the_coded_view_counts_before_the_word(project):
    ds = a_mammogram(view="MLO", ViewPosition="CC", SeriesDescription="vue cranio-caudale")
    delivered(project, [ds])
    assert Image.objects.get().view == "MLO"


@pytest.mark.trap(5)
def test_processing_pixels_are_hung_only_without_a_presentation_sibling(project):
    study = generate_uid()
    said = {"SOPClassUID": PROCESSING, "PresentationIntentType": "FOR PROCESSING"}
    raw, alone = a_mammogram(study=study, **said), a_mammogram(study=study, laterality="L", **said)
    delivered(project, [raw, alone, a_mammogram(study=study)])
    shown = queries.hung_images(Exam.objects.get())
    assert [(image.laterality, image.presentation) for image in shown] == [
        ("L", "for_processing"), ("R", "for_presentation"),
    ]  # fmt: skip


# --- again and again --------------------------------------------------------------------------------------------
def test_the_same_file_again_is_a_duplicate(project):
    ds = a_mammogram()
    assert outcomes(delivered(project, [ds, ds])) == ["accepted", "duplicate"]
    assert outcomes(delivered(project, [ds])) == ["duplicate"]
    assert (Image.objects.count(), Admission.objects.count()) == (1, 1)


def test_two_projects_share_pixels(project, site_admin, settings):
    from accounts.services import create_project

    other = create_project(name="Other", by=site_admin)
    ds = a_mammogram()
    delivered(project, [ds])
    assert outcomes(delivered(other, [ds])) == ["accepted"]
    assert Image.objects.count() == 1
    assert set(Admission.objects.values_list("project_id", flat=True)) == {project.pk, other.pk}
    assert len([path for path in settings.STORE_DIR.rglob("*") if path.is_file()]) == 1


def test_who_does_not_know_the_patient_cannot_join_a_study(project):
    study = generate_uid()
    delivered(project, [a_mammogram(study=study)])
    late = a_mammogram(study=study, patient="SOMEBODY-ELSE", laterality="L")
    assert outcomes(delivered(project, [late])) == ["archive.other_patient"]


def test_one_bad_file_stops_nobody(project):
    good = a_mammogram()
    done = delivered(project, [b"junk", good, file_of(a_mammogram())[:3000], a_mammogram(Modality="CT")])
    assert outcomes(done)[1] == "accepted" and counts(done) == {"accepted": 1, "rejected": 3}
    assert done.state == IngestState.CLOSED


def test_an_ingest_takes_no_files_after_it_was_closed(project):
    done = delivered(project, [a_mammogram()])
    with pytest.raises(Exception, match=r"archive\.ingest_closed"):
        services.receive_file(done, "", [b"late"])


def test_a_killed_ingest_goes_on_at_the_file_where_it_was(project, monkeypatch):
    done = services.create_ingest(project, by=None)
    for content in (a_mammogram(), a_mammogram(laterality="L"), a_mammogram(view="MLO")):
        services.receive_file(done, "", [file_of(content)])
    job = services.close_ingest(done, by=None)

    class Killed(BaseException):
        pass

    class Dying:
        """A worker that is gone after its first file."""

        files = 0

        def progress(self, *args):
            pass

        def check_cancelled(self):
            self.files += 1
            if self.files == 2:
                raise Killed

    with pytest.raises(Killed):
        ingest.run(Dying(), done)
    assert Image.objects.count() == 1
    run_queued()
    assert counts(done) == {"accepted": 3}
    assert Job.objects.get(pk=job.pk).result["exams"] == 3
    assert Admission.objects.count() == 3


def test_a_cancelled_ingest_keeps_what_it_had(project):
    done = services.create_ingest(project, by=None)
    services.receive_file(done, "", [file_of(a_mammogram())])
    services.close_ingest(done, by=None)

    class Cancelling:
        def progress(self, *args):
            pass

        def check_cancelled(self):
            raise Cancelled

    with pytest.raises(Cancelled):
        ingest.run(Cancelling(), done)
    assert incoming.file_of(done.pk, 1).exists()


# --- what follows -----------------------------------------------------------------------------------------------
def test_exams_are_announced_when_they_can_be_shown_and_late_images_as_a_change(project):
    heard = []

    def admitted(sender, *, project_id, exam_ids, **kwargs):
        heard.append(("admitted", len(exam_ids)))
        assert not Image.objects.filter(exam__in=exam_ids, derived_at=None).exists()

    def changed(sender, *, exam_id, **kwargs):
        heard.append(("changed", exam_id))

    exams_admitted.connect(admitted)
    exam_changed.connect(changed)
    try:
        study = generate_uid()
        delivered(project, [a_mammogram(study=study)])
        delivered(project, [a_mammogram(study=study, laterality="L")])
    finally:
        exams_admitted.disconnect(admitted)
        exam_changed.disconnect(changed)
    assert heard == [("admitted", 1), ("admitted", 1), ("changed", Exam.objects.get().pk)]


def test_a_split_never_moves(project):
    from django.db import IntegrityError, transaction

    delivered(project, [a_mammogram()])
    with pytest.raises(IntegrityError, match="archive_admission refuses update"), transaction.atomic():
        Admission.objects.update(split="test")


def test_all_exams_of_a_patient_are_in_one_split(project):
    for _ in range(4):
        delivered(project, [a_mammogram()])
    assert Patient.objects.count() == 1 and Exam.objects.count() == 4
    assert len(set(Admission.objects.values_list("split", flat=True))) == 1


def test_what_no_project_holds_goes_with_the_last_one(project, site_admin, django_capture_on_commit_callbacks):
    from accounts.services import create_project, delete_demo_project

    demo = create_project(name="Demo", by=site_admin, kind="demo")
    shared, own = a_mammogram(), a_mammogram(patient="OTHER")
    delivered(project, [shared])
    delivered(demo, [shared, own])
    gone = Image.objects.get(exam__patient__admissions__project=demo, exam__admissions__project=demo,
                             exam__in=Exam.objects.exclude(admissions__project=project))  # fmt: skip
    with django_capture_on_commit_callbacks(execute=True):
        delete_demo_project(demo, by=site_admin)
    assert Image.objects.count() == 1 and Patient.objects.count() == 1
    assert not store.object_file(gone.sha256).exists()
    assert queries.object_path(Image.objects.get()).exists()


def test_states_only_move_as_the_table_says(project):
    from archive.models import INGEST_MOVES, ITEM_MOVES, ItemState
    from core.moves import moved

    assert moved("receiving", IngestState.PARSING, INGEST_MOVES) == "parsing"
    with pytest.raises(MoveRefused):
        moved("closed", IngestState.RECEIVING, INGEST_MOVES)
    with pytest.raises(MoveRefused):
        moved("accepted", ItemState.REJECTED, ITEM_MOVES)


def test_a_folder_in_a_zip_is_imported_file_by_file(project):
    packed = a_zip({"exam/a.dcm": file_of(a_mammogram()), "exam/read me.txt": b"x", "exam/": b""})
    assert outcomes(delivered(project, [packed])) == ["accepted", "archive.not_dicom"]
