"""Prepared images: once on the disk, and no more of them in memory than fits."""

import gc
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from ml.datasets import mini_mias
from ml.pixels.header import PixelInfo
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict
from ml.training.images import StoredImages, differences

PAIRS, SIDE = 20, 256


def unheard(*said: object) -> None:
    pass


def a_picture(folder: Path, grey: int, name: str = "0001.png") -> Path:
    """A picture of one bright square on black in a data set of its own; no row says its hash."""
    folder.mkdir(exist_ok=True)
    pixels = np.zeros((64, 64), np.uint8)
    pixels[16:48, :32] = grey
    Picture.fromarray(pixels).save(folder / name)
    return folder / name


def a_row(**said: object) -> ManifestRow:
    fields: dict[str, object] = {"image_id": "i", "exam_id": "e", "patient_id": "p", "rows": 64, "cols": 64}
    fields |= {"pixel_path": "0001.png", "pixel_format": "png8", "bits_stored": 8, "spacing_mm": (0.2, 0.2)}
    return from_dict(ManifestRow, fields | said)


@pytest.fixture
def rows(tmp_path: Path) -> list[ManifestRow]:
    """Forty films of noise."""
    lines = [f"mdb{n:03d} F NORM" for n in range(1, 2 * PAIRS + 1)]
    (tmp_path / "Info.txt").write_text("\n".join(lines))
    for line in lines:
        noise = np.random.default_rng(int(line[3:6])).integers(0, 255, (SIDE, SIDE), np.uint8)
        Picture.fromarray(noise).save(tmp_path / f"{line[:6]}.pgm")
    return [from_dict(ManifestRow, row) for row in mini_mias.manifest_rows(tmp_path)]


def held_after(rows: list[ManifestRow], folder: Path, budget: int) -> int:
    """Bytes that stay in memory when all rows were prepared under a budget."""
    stored = StoredImages.of(folder, folder / "prepared", {}, {}, lambda *said: None)
    stored.memory.limit = budget
    tracemalloc.start()
    try:
        for row in rows:
            stored.prepared(row)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.trap(45)
def test_a_data_set_larger_than_the_budget_is_not_kept_in_memory(rows: list[ManifestRow], tmp_path: Path) -> None:
    one = held_after(rows[:1], tmp_path, 2**30)
    everything = held_after(rows, tmp_path, 2**30)
    budget = everything // 8
    assert everything > 20 * one * 0.8  # without a budget all of it stays
    assert held_after(rows, tmp_path, budget) < budget + 2 * one + 2**20


FIXED = {"window": "fixed", "fixed": [0, 255], "crop": False}


def brightest(folder: Path, row: ManifestRow, cache: Path) -> float:
    return float(StoredImages.of(folder, cache, FIXED, {}, unheard).prepared(row).x.max())


def test_what_preparation_flagged_is_told_once_of_all_images_made_or_cached(tmp_path: Path) -> None:
    rows = [a_row(image_id=f"i{n}", pixel_path=f"{n}.png", spacing_mm=None if n else (0.2, 0.2)) for n in range(3)]
    for n, _ in enumerate(rows):
        a_picture(tmp_path / "set", 0 if n == 1 else 200, f"{n}.png")
    said: list[tuple[str, str, str | None]] = []
    for _ in ("made", "cached"):
        said.clear()
        stored = StoredImages.of(tmp_path / "set", tmp_path / "cache", {}, {}, lambda *words: said.append(words))
        assert stored.readable(rows, lambda n: None, most=0.0) == rows
        assert [(code, example) for code, _, example in said] == [
            ("mask_failed", "i1"), ("spacing_assumed", "i1"), ("flat", "i0"),
        ]  # fmt: skip
        assert "2 of 3 images" in said[1][1]


def test_a_header_that_says_otherwise_than_its_row_is_named() -> None:
    row = a_row(laterality="L", view="CC", presentation="for_processing")
    header = PixelInfo(
        rows=64, cols=64, spacing_mm=(0.1, 0.1), laterality="R", view="MLO", presentation="for_presentation"
    )
    assert differences(header, row) == ["presentation_differs", "spacing_differs", "laterality_differs", "view_differs"]
    silent = replace(header, spacing_mm=None, laterality=None, view=None, presentation="for_processing")
    assert differences(silent, row) == []


def test_two_data_sets_with_one_cache_keep_their_own_pictures(tmp_path: Path) -> None:
    for folder, grey in (("one", 200), ("other", 100)):
        a_picture(tmp_path / folder, grey)
        assert brightest(tmp_path / folder, a_row(), tmp_path / "cache") == pytest.approx(grey / 255, abs=0.01)


def test_a_picture_that_was_replaced_is_prepared_again(tmp_path: Path) -> None:
    path = a_picture(tmp_path / "one", 200)
    brightest(tmp_path / "one", a_row(), tmp_path / "cache")
    a_picture(tmp_path / "one", 100)
    os.utime(path, ns=(1, 1))
    assert brightest(tmp_path / "one", a_row(), tmp_path / "cache") == pytest.approx(100 / 255, abs=0.01)


def test_a_picture_is_found_in_the_cache_wherever_it_lies(tmp_path: Path) -> None:
    for folder, name in (("one", "0001.png"), ("other", "0002.png")):
        a_picture(tmp_path / folder, 200, name)
        brightest(tmp_path / folder, a_row(pixel_path=name), tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*/*.npy"))) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"view": "MLO"},
        {"laterality": "R"},
        {"bits_stored": 12},
        {"photometric": "MONOCHROME1"},
        {"pixel_format": "pgm"},
    ],
)
def test_what_a_row_says_of_its_picture_is_not_mixed_up(tmp_path: Path, said: dict[str, object]) -> None:
    a_picture(tmp_path / "one", 200)
    for row in (a_row(), a_row(**said)):
        brightest(tmp_path / "one", row, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*/*.npy"))) == 2
