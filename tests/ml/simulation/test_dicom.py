"""The files are what they say: read back by our own reader and by a validator."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ml.pixels.decode import decode
from ml.pixels.header import read_info
from ml.pixels.orientation import canonical_turn
from ml.simulation.dicom import uid_of, write_exam
from ml.simulation.model import VIEWS, Exam, FindingSpec
from ml.simulation.phantom import exam

#: dciodvfy's list of view positions is that of other X-ray images; CC and MLO are those of mammography.
ACCEPTED = ("Unrecognized defined term = <MLO>", "Unrecognized defined term = <CC>", "MammographyImageForPresentation")


@pytest.fixture(scope="module")
def made() -> Exam:
    return exam(21, density="c", findings=(FindingSpec("mass", "R", "round", 14.0),), spacing_mm=0.8)


@pytest.fixture(scope="module")
def folder(made: Exam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exam")
    write_exam(made, target, split="val")
    return target


def test_the_header_says_side_view_orientation_and_spacing(folder: Path) -> None:
    for view in VIEWS:
        info = read_info(pydicom.dcmread(folder / f"{view.lower()}.dcm"))
        assert f"{info.laterality}-{info.view}" == view
        assert info.patient_orientation is not None
        assert info.patient_orientation[0] == ("P" if view[0] == "R" else "A")
        assert info.spacing_mm == (0.8, 0.8) and info.presentation == "for_presentation"
        assert (info.manufacturer, info.model) == ("MammoLoop", "Phantom")
        assert not info.flags


def test_header_and_pixels_agree_where_the_chest_wall_is(made: Exam, folder: Path) -> None:
    for view in VIEWS:
        info = read_info(pydicom.dcmread(folder / f"{view.lower()}.dcm"))
        turn = canonical_turn(made.images[view].breast, info)
        assert turn.flip_x == (view[0] == "R") and not turn.flip_y and not turn.flags


def test_pixels_come_back_bit_for_bit(made: Exam, folder: Path) -> None:
    for view in VIEWS:
        decoded = decode(folder / f"{view.lower()}.dcm")
        assert np.array_equal(decoded.pixels.astype(np.uint16), made.images[view].pixels)


def test_the_truth_names_the_files_and_the_split(made: Exam, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["schema"] == "mammoloop.phantoms/1.0"
    (found,) = truth["exams"]
    files = {str(ds.SOPInstanceUID): ds for ds in (pydicom.dcmread(path) for path in folder.glob("*.dcm"))}
    assert {str(ds.StudyInstanceUID) for ds in files.values()} == {found["study_instance_uid"]}
    assert {str(ds.PatientID) for ds in files.values()} == {found["patient_id"]}
    assert (found["split"], found["density"]) == ("val", "c")
    (finding,) = found["findings"]
    assert {files[uid].ImageLaterality for uid in finding["marks"]} == {"R"} == {finding["laterality"]}


def test_a_second_writing_gives_the_same_bytes(made: Exam, folder: Path, tmp_path: Path) -> None:
    write_exam(made, tmp_path, split="val")
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in tmp_path.iterdir())


def test_uids_are_legal_and_differ() -> None:
    uids = {uid_of(seed, name) for seed in range(50) for name in ("study", "series")}
    assert len(uids) == 100
    assert all(pydicom.uid.UID(uid).is_valid and uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


def test_a_validator_has_nothing_to_say(folder: Path, require_tool: Callable[[str], str]) -> None:
    for path in sorted(folder.glob("*.dcm")):
        said = subprocess.run(
            [require_tool("dciodvfy"), "-new", str(path)], capture_output=True, text=True, check=False
        )
        lines = [line for line in (said.stdout + said.stderr).splitlines() if line.strip()]
        assert not [line for line in lines if not any(known in line for known in ACCEPTED)]
