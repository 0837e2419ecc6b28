"""A world of tiny synthetic pictures, so that the loop is tested without decoding anything."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from ml.geometry.affine import identity
from ml.runs.manifest import Density, Finding, ManifestRow, Mark


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@dataclass
class Picture:
    x: np.ndarray
    mask: np.ndarray
    affine: np.ndarray


class SyntheticImages:
    """Brightness says the density class; a bright square is a mass."""

    def __init__(self, side=64):
        self.side = side

    def prepared(self, row):
        rng = np.random.default_rng(int(row.image_id.strip("i")))
        level = 0.2 * "ABCD".index(row.density.label) if row.density else 0.2
        x = np.clip(level + 0.1 * rng.random((self.side, self.side)), 0, 1).astype(np.float32)
        for finding in row.findings:
            for mark in finding.marks:
                x0, y0, x1, y1 = map(int, mark.geometry)
                x[y0:y1, x0:x1] = 1.0
        return Picture(x, x > -1, identity())

    def varied(self, picture, row, seed):
        noise = np.random.default_rng(seed).normal(0, 0.01, picture.x.shape)
        return Picture((picture.x + noise).astype(np.float32), picture.mask, picture.affine)


@pytest.fixture
def images():
    return SyntheticImages()


@pytest.fixture
def a_row():
    def make(n, split="train", density=None, box=None, **fields):
        marks = (Mark(mark_id="m", kind="box", geometry=list(box)),) if box else ()
        base = {
            "exam_id": f"e{n}", "patient_id": f"p{n}", "laterality": "R", "view": "MLO", "rows": 64, "cols": 64,
            "complete": True, "split": split, "density": Density(label=density) if density else None,
            "findings": (Finding(finding_id=f"f{n}", type="mass", marks=marks),) if box else (),
        }  # fmt: skip
        return ManifestRow(**{**base, "image_id": f"i{n}", "pixel_path": f"i{n}.npy", **fields})

    return make
