"""mini-MIAS as it is: its counts, its faults, and that each circle lies where the film is bright."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.datasets import mini_mias
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict

ROWS = """\
              MAMMOGRAPHIC IMAGE ANALYSIS SOCIETY
1st column: MIAS database reference number.
mdb101 D NORM \r
mdb102 D CALC M 100 924 20
mdb102 D ASYM B 10 24 5\x20
mdb103 F ARCH B
mdb104 F CALC M *NOTE 3*
mdb105 G SPIC M 400 500 30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Info.txt").write_text(ROWS)
    for number in (101, 102, 103, 104, 106):
        Image.fromarray(np.full((8, 6), number, np.uint8)).save(tmp_path / f"mdb{number}.png")
    return tmp_path


@pytest.fixture(scope="module")
def real(shared_data: Path) -> mini_mias.MiniMias:
    return mini_mias.read(shared_data / "mini-mias")


def named(data: mini_mias.MiniMias, name: str) -> mini_mias.MiasImage:
    return next(image for image in data.images if image.name == name)


def test_films_without_a_file_and_files_without_a_row_are_named(folder):
    data = mini_mias.read(folder)
    assert [image.name for image in data.images] == ["mdb101", "mdb102", "mdb103", "mdb104"]
    assert data.missing == ("mdb105",)
    assert data.unlisted == ("mdb106",)
    assert data.licence and data.citation and data.source


def test_odd_films_are_left_and_even_are_right_with_the_orientation_of_the_stored_pixels(folder):
    odd, even = mini_mias.read(folder).images[:2]
    assert (odd.laterality, odd.patient_orientation) == ("L", r"P\F")
    assert (even.laterality, even.patient_orientation) == ("R", r"A\F")
    assert odd.patient == even.patient == "mini-mias:51"


def test_y_is_turned_and_every_row_of_a_film_is_kept(folder):
    rows = named(mini_mias.read(folder), "mdb102").rows
    assert [(row.cls, row.severity, row.circle) for row in rows] == [
        ("CALC", "M", (100.0, 100.0, 20.0)),
        ("ASYM", "B", (10.0, 1000.0, 5.0)),
    ]


@pytest.mark.parametrize(("name", "note"), [("mdb103", None), ("mdb104", "NOTE 3")])
def test_a_row_without_a_circle_is_a_finding_without_a_mark(folder, name, note):
    image = named(mini_mias.read(folder), name)
    assert image.rows[0].note == note
    assert [finding["marks"] for finding in mini_mias.findings_of(image)] == [[]]
    assert not image.complete and not image.normal


def test_images_in_a_folder_of_their_own_and_as_pgm_are_the_same_films(folder, tmp_path):
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    (other / "INFO.TXT").write_bytes(ROWS.replace("\n", "\r\n").encode())
    for path in folder.glob("*.png"):
        Image.open(path).save(other / "images" / f"{path.stem}.PGM", format="PPM")
    assert mini_mias.recognise(other)
    assert [(i.name, i.rows) for i in mini_mias.read(other).images] == [
        (i.name, i.rows) for i in mini_mias.read(folder).images
    ]
    assert {row["pixel_format"] for row in mini_mias.manifest_rows(other)} == {"pgm"}


def test_a_film_there_twice_is_read_once(folder):
    Image.open(folder / "mdb101.png").save(folder / "mdb101.pgm", format="PPM")
    data = mini_mias.read(folder)
    assert [image.path.name for image in data.images][:2] == ["mdb101.pgm", "mdb102.png"]


def test_a_wrapping_folder_is_looked_into(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    shutil.copytree(folder, outer / "MIAS")
    assert mini_mias.recognise(outer)
    assert len(mini_mias.read(outer).images) == 4


@pytest.mark.parametrize("present", ["info", "films", "prose", "nothing"])
def test_other_folders_are_not_recognised(folder, present):
    if present != "info":
        (folder / "Info.txt").unlink()
    if present == "prose":
        (folder / "Info.txt").write_text("Some films of ours.\n")
    if present in ("info", "nothing"):
        for path in folder.glob("*.png"):
            path.unlink()
    assert not mini_mias.recognise(folder)


def test_a_row_of_an_unknown_class_is_refused_by_name(folder):
    (folder / "Info.txt").write_text("mdb101 D CYST B 1 2 3\n")
    with pytest.raises(mini_mias.MiniMiasError, match="mdb101"):
        mini_mias.read(folder)


def test_the_counts_are_those_of_the_data_sets_readme(real):
    rows = [row for image in real.images for row in image.rows]
    assert len(real.images) == 152 and len(rows) == 157 and real.missing == real.unlisted == ()
    assert len({image.patient for image in real.images}) == 76
    assert Counter(row.cls for row in rows) == {
        "NORM": 82, "CIRC": 17, "CALC": 16, "ARCH": 12, "SPIC": 11, "ASYM": 10, "MISC": 9,
    }  # fmt: skip
    assert Counter(row.severity for row in rows) == {None: 82, "B": 46, "M": 29}
    assert Counter(image.tissue for image in real.images) == {"F": 52, "G": 50, "D": 50}
    assert {image.name for image in real.images if not image.complete} == {"mdb059", "mdb212", "mdb216", "mdb245"}
    assert len(named(real, "mdb226").rows) == 3


def test_the_two_films_of_a_patient_share_their_tissue_and_have_two_sides(real):
    for number in {image.patient_number for image in real.images}:
        pair = [image for image in real.images if image.patient_number == number]
        assert [image.laterality for image in pair] == ["L", "R"]
        assert len({image.tissue for image in pair}) == 1


def test_the_point_outside_the_breast_is_kept_and_ignored(real):
    finding = mini_mias.findings_of(named(real, "mdb212"))[0]
    assert finding["difficulty"] == "ignore"
    assert finding["marks"] == [{"kind": "circle", "geometry": [687.0, 142.0, 3.0]}]


def test_classes_become_findings_in_birads_words(real):
    findings = [finding for image in real.images for finding in mini_mias.findings_of(image)]
    assert Counter(f["type"] for f in findings) == {
        "mass": 37, "calcification": 16, "architectural_distortion": 12, "asymmetry": 10,
    }  # fmt: skip
    assert {(f["pathology"], f["birads"]) for f in findings} == {("benign", "2"), ("malignant", "5")}
    assert len({f["key"] for f in findings}) == 75
    assert mini_mias.breast_of(named(real, "mdb006")) == {
        "density": "a", "density_source": "tissue3:F", "birads": "1",
    }  # fmt: skip
    assert mini_mias.breast_of(named(real, "mdb144"))["birads"] == "5"


def test_manifest_rows_keep_a_patient_in_one_split(real, shared_data):
    rows = mini_mias.manifest_rows(shared_data / "mini-mias")
    assert len(rows) == 152
    splits = {(row["patient_id"], row["split"]) for row in rows}
    assert Counter(split for _, split in splits) == {"train": 52, "val": 12, "test": 12}
    assert {row["density"]["label"] for row in rows} == {"A", "B", "C"}
    assert [from_dict(ManifestRow, row).image_id for row in rows] == [image.name for image in real.images]
    assert sum(len(finding["marks"]) for row in rows for finding in row["findings"]) == 72


def share_brighter_inside(real: mini_mias.MiniMias, place) -> float:
    """Share of trusted circles whose inside is brighter on average than the ring up to twice the radius."""
    brighter = []
    for image in real.images:
        pixels = np.asarray(Image.open(image.path), float)
        y, x = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
        for row in image.rows:
            if row.circle is None or row.ignore:
                continue
            cx, cy, r = place(*row.circle)
            distance = np.hypot(x + 0.5 - cx, y + 0.5 - cy)
            inside, ring = pixels[distance <= r], pixels[(distance > r) & (distance <= 2 * r)]
            brighter.append(inside.mean() > ring.mean())
    return float(np.mean(brighter))


def test_circles_lie_on_bright_tissue_and_only_as_read(real):
    right = share_brighter_inside(real, lambda x, y, r: (x, y, r))
    assert right >= 0.90
    assert share_brighter_inside(real, lambda x, y, r: (x, 1024 - y, r)) < right - 0.2
    assert share_brighter_inside(real, lambda x, y, r: (1024 - x, y, r)) < right - 0.2
