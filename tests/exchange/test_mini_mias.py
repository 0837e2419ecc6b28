"""mini-MIAS: real films through the real import, and back out as COCO where their labels say."""

import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image as Picture
from pycocotools.coco import COCO
from pydicom import dcmread

from annotations.models import Purpose, Reading, WorkItem
from archive.models import Admission, Image, IngestItem
from archive.queries import object_path
from archive.services import close_ingest, create_ingest, receive_file
from exchange import queries, services
from exchange.importers import film, mini_mias
from jobs.testing import run_queued
from ml.datasets import mini_mias as reader
from ml.pixels.decode import decode, stored_values

INFO = """INFO
mdb001 G CIRC B 535 425 197
mdb002 G CIRC B 522 280 69
mdb003 D NORM
mdb004 D NORM
mdb005 F CALC M *NOTE 3*
mdb006 F NORM
"""


def a_set(folder, *, info=INFO, suffix=".pgm", where="images", seed=0):
    """A small folder of the set: noise of 64 x 64 pixels would be too small a film, so 128."""
    (folder / where).mkdir(parents=True, exist_ok=True)
    (folder / "Info.txt").write_text(info)
    for name in sorted(set(re.findall(r"mdb\d{3}", info))):
        pixels = np.random.default_rng(int(name[3:]) + seed).integers(0, 255, (1024, 1024), np.uint8)
        Picture.fromarray(pixels).save(folder / where / f"{name}{suffix}")
    return folder


def take_in(project, folder, by, *, names=None, dataset="auto"):
    """Send a folder as an upload does, and run the jobs; the ingest."""
    ingest = create_ingest(project, by=by, dataset=dataset)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if names is None or path.name in names:
            receive_file(ingest, path.relative_to(folder).as_posix(), [path.read_bytes()])
    close_ingest(ingest, by=by)
    jobs = run_queued()
    assert {job.state for job in jobs} == {"done"}, [job.error for job in jobs]
    return ingest


def states(ingest):
    return sorted(IngestItem.objects.filter(ingest=ingest).values_list("state", flat=True))


def references(project):
    rows = Reading.objects.filter(project=project, purpose=Purpose.REFERENCE).select_related("exam__patient")
    return {row.exam.patient.pseudonym: row.completed_document for row in rows}


@pytest.fixture
def imported(project, admin, var_dir, tmp_path):
    return take_in(project, a_set(tmp_path / "set"), admin)


def test_a_folder_is_recognised_and_every_film_taken_in(project, imported):
    imported.refresh_from_db()
    assert imported.dataset == "mini-mias"
    assert states(imported) == ["accepted"] * 6 + ["used"]
    assert sorted(Image.objects.values_list("source_name", flat=True)) == [f"mdb00{n}.pgm" for n in range(1, 7)]
    assert Admission.objects.filter(project=project).count() == WorkItem.objects.filter(project=project).count() == 3


def test_the_pixels_are_the_file_s_and_the_header_says_how_they_lie(imported, tmp_path):
    for image in Image.objects.select_related("exam"):
        dataset = dcmread(object_path(image))
        with Picture.open(tmp_path / "set" / "images" / image.source_name) as picture:
            assert np.array_equal(stored_values(dataset), np.asarray(picture))
        odd = int(image.source_name[3:6]) % 2
        assert (image.laterality, image.patient_orientation) == (("L", "P\\F") if odd else ("R", "A\\F"))
        assert (image.view, image.presentation, image.photometric) == ("MLO", "film", "MONOCHROME2")
        assert (image.spacing_row_mm, image.spacing_col_mm) == (0.2, 0.2)
        assert dataset.PixelSpacingCalibrationType


def test_labels_become_reference_readings_that_fill_no_work_item(project, imported):
    found = references(project)
    assert found.keys() == {"mini-mias:1", "mini-mias:2", "mini-mias:3"}
    assert set(WorkItem.objects.values_list("done", "held")) == {(0, 0)}
    first = found["mini-mias:1"]
    assert first["breasts"]["L"] == {"density": "b", "density_source": "tissue3:G", "birads": "2"}
    marks = {mark["image_id"]: mark for f in first["findings"].values() for mark in f["marks"].values()}
    left = Image.objects.get(source_name="mdb001.pgm")
    assert marks[str(left.pk)]["geometry"] == [535.0, 1024 - 425.0, 197.0]
    assert {mark["provenance"] for mark in marks.values()} == {"imported"}
    normal = found["mini-mias:2"]
    assert (normal["findings"], normal["breasts"]["R"]["birads"]) == ({}, "1")


def test_a_row_without_a_circle_is_a_finding_without_a_mark(project, imported):
    [finding] = references(project)["mini-mias:3"]["findings"].values()
    assert (finding["type"], finding["marks"], finding["pathology"]) == ("calcification", {}, "malignant")


def test_the_same_set_again_is_all_duplicates_in_either_format(project, admin, imported, tmp_path):
    again = take_in(project, a_set(tmp_path / "again", suffix=".png", where="."), admin)
    assert states(again) == ["duplicate"] * 6 + ["used"]
    assert Image.objects.count() == 6
    assert Reading.objects.filter(purpose=Purpose.REFERENCE).count() == 3


def test_a_pair_that_comes_in_two_deliveries_keeps_the_labels_of_both(project, admin, var_dir, tmp_path):
    folder = a_set(tmp_path / "set")
    take_in(project, folder, admin, names={"Info.txt", "mdb001.pgm"})
    take_in(project, folder, admin, names={"Info.txt", "mdb002.pgm"})
    document = references(project)["mini-mias:1"]
    assert len(document["findings"]) == 2
    assert [breast["density"] for breast in document["breasts"].values()] == ["b", "b"]


def test_a_broken_and_an_unlisted_film_stop_nobody(project, admin, var_dir, tmp_path):
    folder = a_set(tmp_path / "set")
    (folder / "images" / "mdb003.pgm").write_bytes(b"no picture")
    Picture.new("L", (128, 128)).save(folder / "images" / "mdb111.pgm")
    ingest = take_in(project, folder, admin)
    codes = sorted(IngestItem.objects.filter(ingest=ingest, state="rejected").values_list("code", flat=True))
    assert codes == ["exchange.film_unreadable", "exchange.not_listed"]
    assert states(ingest).count("accepted") == 5


def test_twenty_patients_are_stratified_by_their_labels(project, admin, var_dir, tmp_path):
    rows = [f"mdb{n:03d} {'FGD'[n // 2 % 3]} NORM" for n in range(1, 41)]
    small = tmp_path / "set"
    small.mkdir()
    (small / "Info.txt").write_text("\n".join(rows))
    for row in rows:
        noise = np.random.default_rng(int(row[3:6])).integers(0, 255, (128, 128), np.uint8)
        Picture.fromarray(noise).save(small / f"{row[:6]}.pgm")
    take_in(project, small, admin)
    from ml.datasets.splits import stratified

    wanted = stratified(reader.tags_of(reader.read(small).images), seed=project.seed)
    rows = Admission.objects.filter(project=project).values_list("patient__pseudonym", "split")
    assert dict(rows) == wanted
    assert {"train", "val", "test"} == set(wanted.values())


def test_uids_are_legal_and_depend_on_name_and_pixels():
    image = reader.MiasImage("mdb001", None, "L", 1, "G", ())
    header = mini_mias.headers_of(image)
    pixels = np.zeros((128, 128), np.uint8)
    one, same, other = (film.wrap(header, p).SOPInstanceUID for p in (pixels, pixels.copy(), pixels + 1))
    assert one == same != other
    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", one)


def test_the_wrapped_film_is_valid_digital_mammography(require_tool, tmp_path):
    import subprocess

    image = reader.MiasImage("mdb001", None, "L", 1, "G", ())
    dataset = film.wrap(mini_mias.headers_of(image), np.zeros((128, 128), np.uint8))
    dataset.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    told = subprocess.run([require_tool("dciodvfy"), str(tmp_path / "film.dcm")], capture_output=True, text=True)
    errors = [line for line in told.stderr.splitlines() if line.startswith("Error")]
    assert errors == []


@pytest.fixture(scope="module")
def real_set(shared_data):
    return shared_data / "mini-mias"


def few(real, target, names):
    """A part of the real set: these films and their rows."""
    (target / "images").mkdir(parents=True)
    lines = (real / "Info.txt").read_text("latin-1").splitlines(keepends=True)
    kept = [line for line in lines if not re.match(r"mdb\d{3}", line) or line[:6] in names]
    (target / "Info.txt").write_text("".join(kept), "latin-1")
    for name in names:
        shutil.copy(real / "images" / f"{name}.png", target / "images")
    return target


def test_a_real_export_has_every_film_and_every_circle_where_the_file_says(
    project, admin, reader_of_all, var_dir, tmp_path, real_set
):
    names = ["mdb001", "mdb002", "mdb005", "mdb006", "mdb059", "mdb060", "mdb211", "mdb212"]
    names = [name for name in names if (real_set / "images" / f"{name}.png").exists()]
    folder = few(real_set, tmp_path / "set", names)
    take_in(project, folder, admin)
    reader_of_all(project)
    snapshot = services.order_snapshot(project, references=False, note="", by=admin)
    run_queued()
    snapshot.refresh_from_db()
    export = services.order_export(snapshot, format_name="coco", by=admin)
    run_queued()
    with zipfile.ZipFile(queries.export_path(export)) as opened:
        (tmp_path / "coco.json").write_bytes(opened.read("annotations.json"))
    coco = COCO(str(tmp_path / "coco.json"))
    rows = [line.split() for line in (folder / "Info.txt").read_text("latin-1").splitlines() if line[:3] == "mdb"]
    circles = sorted(
        (f"{row[0]}.png", float(row[4]), 1024 - float(row[5]), float(row[6]))
        for row in rows
        if len(row) >= 7 and row[4].isdigit()
    )
    files = {number: image["file_name"] for number, image in coco.imgs.items()}
    boxes = [(files[a["image_id"]], *a["bbox"]) for a in coco.anns.values()]
    assert sorted(files.values()) == [f"{name}.png" for name in sorted(names)]
    assert sorted((file, x + w / 2, y + h / 2, w / 2) for file, x, y, w, h in boxes) == circles
    assert {a["difficulty"] for a in coco.anns.values() if files[a["image_id"]] == "mdb212.png"} <= {"ignore"}


@pytest.fixture
def reader_of_all(member):
    """Reads everything that waits, as the references say."""

    def read_all(project):
        user = member("reader1")
        answers = {r.exam_id: r.completed_document for r in Reading.objects.filter(purpose=Purpose.REFERENCE)}
        from annotations import services as annotations
        from core.ids import uuid7

        while reading := annotations.lease_next(project, reader=user):
            said = answers[reading.exam_id]
            patch = [{"op": "replace", "path": f"/{part}", "value": said[part]} for part in ("breasts", "findings")]
            edit = annotations.apply_edit(reading.pk, by=user, revision=0, edit_id=uuid7(), patch=patch)
            annotations.complete_reading(reading.pk, by=user, revision=edit.revision)

    return read_all


def brightness_share(real_set, turn):
    """Share of circles that are brighter inside than in a ring around, with `turn` applied to their centres."""
    brighter = []
    for image in reader.read(real_set).images:
        picture = decode(image.path, pixel_format="png8").pixels
        for row in image.rows:
            if row.circle is None or row.ignore:
                continue
            x, y, r = turn(*row.circle)
            yy, xx = np.ogrid[: picture.shape[0], : picture.shape[1]]
            distance = np.hypot(xx + 0.5 - x, yy + 0.5 - y)
            inside, ring = picture[distance <= r], picture[(distance > r) & (distance <= 2 * r)]
            brighter.append(inside.mean() > ring.mean())
    return np.mean(brighter)


def test_real_circles_are_brighter_inside_than_around(real_set):
    assert brightness_share(real_set, lambda x, y, r: (x, y, r)) >= 0.9
    assert brightness_share(real_set, lambda x, y, r: (x, 1024 - y, r)) < 0.8
    assert brightness_share(real_set, lambda x, y, r: (1024 - x, y, r)) < 0.8
