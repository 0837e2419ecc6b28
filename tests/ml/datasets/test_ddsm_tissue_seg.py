"""DDSM tissue labels as they are: four grey values, a share of dense tissue, and sides that nobody knows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.datasets import ddsm_tissue_seg
from ml.datasets.reading import DatasetError
from ml.evaluation.reports.tissues import percent_density
from ml.pixels.mark_masks import stored, tissues
from ml.runs.manifest import ManifestRow
from ml.runs.validate import validate
from ml.training.targets.masks import tissue_of


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[ManifestRow]:
    return ddsm_tissue_seg.manifest_rows(shared_data / "ddsm-tissue-seg")


def write(folder: Path, label_shape: tuple[int, int] = (20, 10), percent: str = "37.5", part: str = "test") -> Path:
    Image.fromarray(np.zeros((20, 10), np.uint8)).save(folder / "a.png")
    Image.fromarray(np.full(label_shape, 64, np.uint8)).save(folder / "a_LI.png")
    head = "file,label_file,case_id,side,view,percent_dense,source_part"
    (folder / "labels.csv").write_text(f"{head}\na.png,a_LI.png,A_1,RIGHT,MLO,{percent},{part}\n")
    return folder


def test_a_film_has_a_map_of_tissue_a_share_of_dense_and_no_side(tmp_path):
    row = ddsm_tissue_seg.manifest_rows(write(tmp_path))[0]
    finding = row.findings[0]
    assert (finding.type, finding.subtype, row.complete) == ("other", "tissue", False)
    assert finding.marks[0].kind == "label_map"
    assert finding.marks[0].geometry == {
        "path": "a_LI.png",
        "classes": {"background": 64, "fat": 128, "dense": 192, "pectoral": 255},
    }
    assert row.density is not None and (row.density.label, row.density.percent) == (None, 37.5)
    assert (row.laterality, row.view, row.presentation, row.split) == (None, "MLO", "film", "test")


@pytest.mark.parametrize("wrong", [{"label_shape": (20, 11)}, {"percent": "dense"}])
def test_a_map_of_another_size_and_a_share_that_is_none_are_refused(tmp_path, wrong):
    with pytest.raises(DatasetError):
        ddsm_tissue_seg.manifest_rows(write(tmp_path, part="train_valid", **wrong))


def test_the_counts_are_those_of_the_readme(real):
    assert len(real) == 66 == len({row.patient_id for row in real})
    splits = Counter(row.split for row in real)
    assert splits["test"] == 6 and splits["train"] + splits["val"] == 60 and splits["val"] >= 8
    shares = [row.density.percent for row in real if row.density and row.density.percent is not None]
    assert (round(min(shares), 1), round(max(shares), 1)) == (2.6, 79.6)
    assert validate(real).warnings == []


def test_the_maps_hold_the_four_values_and_give_the_share_again(real, shared_data):
    for row in real[::8]:
        mark = row.findings[0].marks[0]
        labels = stored(shared_data / "ddsm-tissue-seg", mark.geometry["path"], row.rows, row.cols)
        assert set(np.unique(labels)) <= set(mark.geometry["classes"].values())
        # As training and evaluation read them.
        tissue = tissues(labels, mark.geometry["classes"])
        assert row.density is not None and row.density.percent is not None
        assert percent_density(tissue) == pytest.approx(row.density.percent, abs=0.01)
        assert tissue_of(row, mark, lambda *_, own=labels: own).tolist() == tissue.tolist()


def test_the_breasts_face_either_way(real, shared_data):
    """Why the file's side is not believed: the muscle is at the left in some films and at the right in others."""
    sides = set()
    for row in real:
        labels = np.asarray(Image.open(shared_data / "ddsm-tissue-seg" / row.findings[0].marks[0].geometry["path"]))
        columns = np.flatnonzero((labels == 255).any(axis=0))
        if len(columns):
            sides.add("left" if columns.mean() < row.cols / 2 else "right")
    assert sides == {"left", "right"}
