"""Rows of one's own become a manifest, or are refused with a sentence that names the row."""

import json

import numpy as np
import pytest
from PIL import Image

from ml.cli.main import main
from ml.datasets.own import read_own
from ml.runs.errors import RunRefused
from ml.runs.manifest import read_manifest, read_meta


@pytest.fixture
def pixels(tmp_path):
    """Four noisy pictures; the fourth has the look of the first."""
    folder = tmp_path / "pixels"
    folder.mkdir()
    for n in range(4):
        values = np.random.default_rng(n % 3).integers(0, 200, (80, 60), np.uint8) + (5 if n == 3 else 0)
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{n}.png")
    return folder


def a_row(n, **fields):
    return {"image_id": f"i{n}", "patient_id": f"p{n}", "pixel_path": f"{n}.png", **fields}


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_rows_are_made_whole_from_their_files(tmp_path, pixels):
    marked = [{"finding_id": "f", "type": "mass", "marks": [{"mark_id": "m", "kind": "box", "geometry": [1, 2, 9, 9]}]}]
    rows = written(
        tmp_path,
        a_row(0, split="train", density={"label": "A"}, spacing_mm=[0.1, 0.1]),
        a_row(1, split="test", findings=marked, complete=True),
    )
    run = tmp_path / "run"
    assert main(["manifest", "own", str(pixels), str(run), "--rows", str(rows)]) == 0
    one, two = read_manifest(run)
    assert (one.rows, one.cols, one.pixel_format, len(one.sha256), one.exam_id) == (80, 60, "png8", 64, "p0")
    assert (one.spacing_source, two.spacing_source, two.split) == ("user", "unknown", "test")
    assert read_meta(run).pixels_root == str(pixels)


def test_changed_labels_are_written_anew_into_the_same_folder(tmp_path, pixels):
    run = tmp_path / "run"
    words = ["manifest", "own", str(pixels), str(run), "--rows"]
    assert main([*words, str(written(tmp_path, a_row(0, split="train", density={"label": "A"})))]) == 0
    path = run / "manifest.jsonl"
    path.write_text(path.read_text().replace('"label":"A"', '"label":"D"'))
    with pytest.raises(RunRefused, match="manifest own"):
        read_manifest(run)
    assert main([*words, str(path)]) == 0
    assert read_manifest(run)[0].density.label == "D"


def test_splits_are_drawn_by_patient_and_what_is_unknown_goes_into_the_pool(tmp_path, pixels):
    known = {"density": {"label": "A"}}
    rows, _ = read_own(
        written(
            tmp_path, a_row(0, split="train", **known), a_row(1, patient_id="p0", **known), a_row(2, patient_id="p0")
        ),
        pixels,
    )
    assert [row.split for row in rows] == ["train", "train", "pool"]


def test_the_same_picture_under_two_patients_is_told(tmp_path, pixels):
    _, pairs = read_own(written(tmp_path, *(a_row(n, split="train") for n in range(4))), pixels)
    assert pairs == [("i0", "i3")]


def test_a_patient_whom_nobody_knows_stands_alone_and_is_flagged(tmp_path, pixels):
    (row,), _ = read_own(written(tmp_path, a_row(0, patient_id=None)), pixels)
    assert (row.patient_id, row.flags) == ("img:i0", ("patient_unknown",))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ('{"image_id": ', "line 2 is not JSON"),
        ("[1]", "line 2 is not a JSON object"),
        ({"image_id": "x", "pixel_path": "1.png"}, "line 2: patient_id is missing"),
        (a_row(1, desnity={"label": "A"}), "line 2: desnity: unknown key"),
        (a_row(1, density={"label": "a"}), "line 2: density.label: expected one of A, B, C, D"),
        (a_row(1, patient_id=7), "line 2: patient_id: expected a string"),
        (a_row(1, weight=-1), "line 2: image_id must not be empty, and weight must be above 0"),
        (a_row(1, pixel_path="9.png"), "line 2: there is no file 9.png"),
        (a_row(1, pixel_path="../rows.jsonl"), "line 2: ../rows.jsonl leads out of"),
        (a_row(1, pixel_format="dicom"), "line 2: 1.png cannot be read"),
        (a_row(1, rows=81), "line 2: rows is 81, and that of the file is 80"),
        (a_row(1, sha256="0"), "line 2: sha256 is 0"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_by_its_line(tmp_path, pixels, wrong, text):
    with pytest.raises(RunRefused) as error:
        read_own(written(tmp_path, a_row(0), wrong), pixels)
    assert text in error.value.sentence and error.value.exit == 2


@pytest.mark.parametrize(
    ("rows", "code", "example"),
    [
        ([a_row(0, split="train"), a_row(1, patient_id="p0", split="test")], "leakage_patient", "p0"),
        ([a_row(0, split="train"), a_row(1, pixel_path="0.png", split="test")], "leakage_file", "i1"),
        ([a_row(0), a_row(0)], "duplicate_row", "i0"),
    ],
)
def test_leakage_and_doubles_are_refused_with_names(tmp_path, pixels, rows, code, example):
    with pytest.raises(RunRefused) as error:
        read_own(written(tmp_path, *rows), pixels)
    assert (error.value.code, error.value.exit) == (code, 3) and example in error.value.sentence


@pytest.mark.parametrize("content", [None, "", "\n\n", b"\xff\xfe\x00"])
def test_a_file_without_rows_is_refused(tmp_path, pixels, content):
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunRefused, match=r"rows\.jsonl"):
        read_own(path, pixels)
