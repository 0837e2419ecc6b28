"""CDD-CESM as it is: words to findings, masks and regions that agree, outcomes by breast, no patient in two splits."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ml.datasets import cdd_cesm, cdd_cesm_cm512, cdd_cesm_seg512
from ml.datasets.reading import DatasetError, age_band
from ml.geometry.overlap import dice
from ml.pixels.decode import decode
from ml.runs.manifest import Finding, ManifestRow, Mark
from ml.runs.records import from_dict, to_dict
from ml.runs.validate import validate

COMMON = {"patient_id": "P1", "side": "L", "view": "CC", "age": "46", "birads": "4", "tags": "", "machine": "1"}
SEG = {**COMMON, "type": "DM", "pathology": "Malignant", "density_acr": "C", "findings": "High density mass"}
CM = {**COMMON, "type": "CM", "pathology": "Normal", "density_acr_dm_row": "B", "findings": "No mass"}


def write(folder: Path, rows: list[dict[str, str]]) -> Path:
    """labels.csv with the rows, and a picture for each file that they name."""
    for row in rows:
        for column in {"file", "mask"} & row.keys():
            (folder / row[column]).parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((16, 12), 90, np.uint8)).save(folder / row[column])
    with (folder / "labels.csv").open("w", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def seg(name: str = "P1_L_DM_CC", **fields: str) -> dict[str, str]:
    return {"file": f"images/{name}.jpg", "mask": f"masks/{name}.png", **SEG, **fields}


def cm(name: str, **fields: str) -> dict[str, str]:
    return {"file": f"images/{name}.png", **CM, **fields}


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[ManifestRow]:
    return cdd_cesm_seg512.manifest_rows(shared_data / "cdd-cesm-seg512")


@pytest.fixture(scope="module")
def whole(shared_data: Path) -> list[ManifestRow]:
    return cdd_cesm_cm512.manifest_rows(shared_data / "cdd-cesm-cm512")


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("High density mass with speculated margin and edema pattern", ["mass"]),
        ("Architectural distortion and high density mass", ["architectural_distortion", "mass"]),
        ("Asymmetrical increased density with overlying microcalcifications", ["asymmetry", "calcification"]),
        ("Nodular increased density with overlying microcalcifications", ["asymmetry", "calcification"]),
        ("Ductal non mass enhancement", ["other"]),
        ("Irregular focus mass enhancement", ["mass"]),
        ("Heterogenously enhancing mass and clumped segmental non mass enhancement", ["mass", "other"]),
        ("No mass or non mass enhancement", ["other"]),
        ("Diffuse edematous changes", []),
        ("Normal", []),
        ("", []),
    ],
)
def test_words_become_kinds_of_findings_in_their_order(words, kinds):
    assert cdd_cesm.kinds_in(words) == kinds
    assert cdd_cesm.kind_of(words) == (kinds[0] if kinds else "other")


@pytest.mark.parametrize(
    ("words", "margin"),
    [
        ("High density mass with speculated margin", "spiculated"),
        ("Two ill defined heterogenously enhancing masses", "ill_defined"),
        ("Architectural distortion and mass with speculated margin", None),
        ("Heterogenously enhancing mass", None),
    ],
)
def test_only_masses_have_a_margin(words, margin):
    assert cdd_cesm.margin_of(words) == margin


@pytest.mark.parametrize(("joined", "worst"), [("4$2", "4"), ("5", "5"), ("3$2", "3"), ("_", None), ("", None)])
def test_the_worst_category_of_several_is_the_findings(joined, worst):
    assert cdd_cesm.worst_birads(joined) == worst


@pytest.mark.parametrize(
    ("years", "band"), [("39", "<40"), ("40", "40-49"), ("69", "60-69"), ("70", ">=70"), ("_", None), ("0", None)]
)
def test_ages_fall_into_bands(years, band):
    assert age_band(years) == band


def test_two_regions_are_two_findings_that_share_a_mask_and_say_which_part_is_theirs(tmp_path):
    write(tmp_path, [seg(birads="4$2", findings="High density mass with speculated margin$Benign macrocalcification")])
    shapes = [
        {"name": "polygon", "all_points_x": [1, 4, 4, 1], "all_points_y": [2, 2, 6, 2]},
        {"name": "circle", "cx": 8, "cy": 9, "r": 2},
    ]
    with (tmp_path / "via_regions_512.csv").open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["#filename", "region_shape_attributes"])
        writer.writerows(["P1_L_DM_CC.jpg", json.dumps(shape)] for shape in shapes)
    row = cdd_cesm_seg512.manifest_rows(tmp_path)[0]
    assert [(f.finding_id, f.type, f.subtype, f.pathology, f.birads) for f in row.findings] == [
        (f"P1_L_DM_CC:{n}", "mass", "spiculated", "malignant", "4") for n in (1, 2)
    ]
    assert [[mark.geometry for mark in f.marks] for f in row.findings] == [
        [[[[1.0, 2.0], [4.0, 2.0], [4.0, 6.0]]], {"path": "masks/P1_L_DM_CC.png", "box": [1.0, 2.0, 4.0, 6.0]}],
        [[8.0, 9.0, 2.0], {"path": "masks/P1_L_DM_CC.png", "box": [6.0, 7.0, 10.0, 11.0]}],
    ]
    assert row.flags == ("several_findings",) and not row.complete


def test_without_drawn_regions_the_mask_is_the_mark(tmp_path):
    row = cdd_cesm_seg512.manifest_rows(write(tmp_path, [seg()]))[0]
    assert row.findings[0].marks == (
        Mark(
            mark_id="P1_L_DM_CC:1:mask",
            kind="mask",
            geometry={"path": "masks/P1_L_DM_CC.png"},
            provenance="imported",
        ),
    )
    assert (row.pixel_format, row.image_kind, row.age_band, row.spacing_mm) == ("jpeg", "low_energy", "40-49", None)


def test_a_density_is_the_patients_and_absent_where_nobody_gave_it(tmp_path):
    names = ["P1_L_CM_CC", "P1_R_CM_CC", "P2_L_CM_CC"]
    given = [{"density_acr_dm_row": "_"}, {"density_acr_dm_row": "B"}, {"density_acr_dm_row": "_", "patient_id": "P2"}]
    rows = cdd_cesm_cm512.manifest_rows(write(tmp_path, [cm(n, **g) for n, g in zip(names, given, strict=True)]))
    assert [row.density.label if row.density else None for row in rows] == ["B", "B", None]


def test_cancer_in_one_view_is_the_breasts_outcome_and_not_the_other_sides(tmp_path):
    rows = [
        cm("P1_L_CM_CC", pathology="Malignant", findings="Enhancing mass"),
        cm("P1_L_CM_MLO", view="MLO", pathology="Benign", findings="Homogenous mass$IMLN", birads="3$2"),
        cm("P1_R_CM_CC", side="R"),
    ]
    read = cdd_cesm_cm512.manifest_rows(write(tmp_path, rows))
    assert [row.outcome.cancer for row in read if row.outcome] == [1, 1, 0]
    assert [row.complete for row in read] == [False, False, True]
    assert [[(f.type, f.pathology, f.birads, f.marks) for f in row.findings] for row in read] == [
        [("mass", "malignant", "4", ())],
        [("mass", "benign", "3", ()), ("other", "benign", "2", ())],
        [],
    ]
    assert {row.flags for row in read} == {("squashed",)}


@pytest.mark.parametrize(
    "damage",
    [{"side": "X"}, {"density_acr": "E"}, {"file": "../P1_L_DM_CC.jpg"}, {"mask": "masks/absent.png"}],
)
def test_a_row_that_cannot_be_understood_is_refused(tmp_path, damage):
    write(tmp_path, [seg()])
    rows = list(csv.DictReader((tmp_path / "labels.csv").open()))
    with (tmp_path / "labels.csv").open("w", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerow({**rows[0], **damage})
    with pytest.raises(DatasetError):
        cdd_cesm_seg512.manifest_rows(tmp_path)


@pytest.mark.parametrize("content", [None, "", "file,mask\n", "file,mask\na,b\n"])
def test_a_folder_without_its_labels_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DatasetError):
        cdd_cesm_cm512.manifest_rows(tmp_path)


def test_the_counts_of_the_masked_images_are_those_of_the_readme(real):
    assert len(real) == 204 and len({row.patient_id for row in real}) == 61
    assert Counter(row.image_kind for row in real) == {"low_energy": 100, "subtracted": 104}
    assert Counter(row.density.label if row.density else None for row in real) == {"B": 96, "C": 86, "D": 14, None: 8}
    assert {finding.pathology for row in real for finding in row.findings} == {"malignant"}
    assert sum(len(row.findings) for row in real) == 489
    assert all(mark.kind in ("polygon", "circle", "mask") for row in real for f in row.findings for mark in f.marks)
    assert validate(real).warnings == []
    assert [from_dict(ManifestRow, to_dict(row)) for row in real] == real


def test_an_image_called_normal_is_not_one(real, shared_data):
    with (shared_data / "cdd-cesm-seg512" / "labels.csv").open() as opened:
        odd = {Path(label["file"]).stem for label in csv.DictReader(opened) if label["birads"] == "1"}
    assert len(odd) == 6
    assert all(row.findings and not row.complete for row in real if row.image_id in odd)


def drawn(finding: Finding, shape: tuple[int, int]) -> np.ndarray:
    """What the finding's polygon or circle covers."""
    canvas = Image.new("1", shape[::-1])
    for mark in finding.marks:
        if mark.kind == "circle":
            x, y, r = mark.geometry
            ImageDraw.Draw(canvas).ellipse((x - r, y - r, x + r, y + r), fill=1)
        elif mark.kind == "polygon":
            ImageDraw.Draw(canvas).polygon([tuple(xy) for xy in mark.geometry[0]], fill=1)
    return np.asarray(canvas)


def test_regions_and_masks_of_real_images_are_the_same_places(real, shared_data):
    """Drawn again, regions agree with the exact masks, and their boxes leave nothing of a mask out."""
    agreed, covered = [], []
    for row in real[::6]:
        path = shared_data / "cdd-cesm-seg512" / row.findings[0].marks[-1].geometry["path"]
        mask = np.asarray(Image.open(path)) > 0
        agreed.append(dice(mask, np.any([drawn(finding, mask.shape) for finding in row.findings], axis=0)))
        inside = np.zeros_like(mask)
        for finding in row.findings:
            x0, y0, x1, y1 = finding.marks[-1].geometry.get("box", (0, 0, row.cols, row.rows))
            inside[int(y0) : int(np.ceil(y1)) + 1, int(x0) : int(np.ceil(x1)) + 1] = True
        covered.append((mask & inside).sum() / mask.sum())
    # The fit of the regions to the small images leaves 0.92 of the area at worst, a little less as drawn here.
    assert np.median(agreed) > 0.98 and min(agreed) > 0.93 and min(covered) > 0.97


def test_real_jpegs_are_decoded_as_grey(real, shared_data):
    for row in real[:8]:
        pixels = decode(shared_data / "cdd-cesm-seg512" / row.pixel_path, pixel_format=row.pixel_format).pixels
        assert pixels.shape == (row.rows, row.cols) and 0 <= pixels.min() < pixels.max() <= 255


def test_the_counts_of_the_whole_exams_are_those_of_the_readme(whole):
    assert len(whole) == 60 and len({row.patient_id for row in whole}) == 15
    assert Counter(row.outcome.cancer for row in whole if row.outcome) == {0: 44, 1: 16}
    pathologies = Counter(row.findings[0].pathology if row.findings else None for row in whole)
    assert pathologies == {None: 24, "benign": 20, "malignant": 16}
    assert Counter(row.density.label for row in whole if row.density) == {"A": 4, "B": 24, "C": 20, "D": 12}
    assert sum(row.complete for row in whole) == 24 and validate(whole).warnings == []


def test_patients_stay_in_one_split_and_every_split_has_some(real, whole):
    for rows, patients in ((real, 61), (whole, 15)):
        splits = Counter(split for _, split in {(row.patient_id, row.split) for row in rows})
        assert sum(splits.values()) == patients
        assert {split: round(n / patients, 1) for split, n in splits.items()}.items() >= {"train": 0.7}.items()
        assert min(splits["val"], splits["test"]) >= 1
    assert not {row.patient_id for row in real} & {row.patient_id for row in whole}
