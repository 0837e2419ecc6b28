"""The manifest command says when one picture stands under two patients."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.cli.main import main
from ml.datasets import ddsm_tissue_seg
from ml.datasets.alike import rows_alike
from ml.runs.manifest import ManifestRow


def test_a_picture_under_two_patients_is_named_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (40, 30)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    lines = ["file,label_file,case_id,side,view,percent_dense,source_part"]
    for name, pixels in (("a", noise), ("b", noise + 20), ("c", noise[::-1])):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        lines.append(f"{name}.png,{name}.png,{name},RIGHT,MLO,20,test")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    assert main(["manifest", "ddsm-tissue-seg", str(tmp_path), str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "a and b show the same picture under two patients" in said and said.count("same picture") == 1


def test_a_file_that_cannot_be_read_is_passed_over(a_row: Callable[..., ManifestRow], tmp_path: Path) -> None:
    (tmp_path / "i1.png").write_bytes(b"torn")
    assert rows_alike([a_row("i1", pixel_path="i1.png", pixel_format="png8")], tmp_path) == []


def test_real_films_of_different_patients_are_different(shared_data: Path) -> None:
    folder = shared_data / "ddsm-tissue-seg"
    assert rows_alike(ddsm_tissue_seg.manifest_rows(folder), folder) == []
