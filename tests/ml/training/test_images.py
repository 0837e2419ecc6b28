"""Prepared images: once on the disk, and no more of them in memory than fits."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from ml.datasets import mini_mias
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict
from ml.training.images import StoredImages

PAIRS, SIDE = 20, 256


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
