import pytest

from ml.runs import manifest
from ml.runs.errors import RunRefused
from ml.runs.manifest import Density, Finding, Mark, read_manifest, read_meta, write_manifest


def test_rows_survive_writing_and_reading(tmp_path, a_row):
    mark = Mark(mark_id="m", kind="circle", geometry=[30.5, 40.25, 9.0], provenance="imported")
    rows = [
        a_row("i1", density=Density(label="B", scale="tissue3", source_label="G"), spacing_mm=(0.2, 0.2)),
        a_row("i2", findings=(Finding(finding_id="f", type="mass", marks=(mark,)),), complete=True),
    ]
    meta = write_manifest(tmp_path, rows, pixels_root="/data", snapshot_id="s1")
    assert read_manifest(tmp_path) == rows
    assert (read_meta(tmp_path).rows, meta.pixels_root, meta.snapshot_id) == (2, "/data", "s1")


def test_a_changed_manifest_is_refused(tmp_path, a_row):
    write_manifest(tmp_path, [a_row()], pixels_root=".")
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(RunRefused) as error:
        read_manifest(tmp_path)
    assert error.value.code == "manifest_changed"


def test_not_a_number_is_never_written(tmp_path, a_row):
    with pytest.raises(ValueError, match="NaN"):
        write_manifest(tmp_path, [a_row(weight=float("nan"))], pixels_root=".")


def test_density_is_converted_in_one_place():
    assert [manifest.density_to_ml(letter) for letter in ("a", "d", None)] == ["A", "D", None]
    assert manifest.density_to_api("C") == "c"


def test_an_unknown_patient_becomes_a_patient_of_its_own():
    assert manifest.patient_or_image(None, "i7") == ("img:i7", ("patient_unknown",))
    assert manifest.patient_or_image("p", "i7") == ("p", ())
