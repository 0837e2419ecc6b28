"""A world of tiny synthetic pictures, so that the loop is tested without decoding anything."""

import numpy as np
import pytest
import torch

from ml.geometry.affine import identity
from ml.methods import get
from ml.methods.aims import aim_of
from ml.pixels.prepare import Prepared
from ml.pixels.rois import around
from ml.runs.manifest import Density, Finding, ManifestRow, Mark


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


class SyntheticImages:
    """Brightness says the density class; a bright square is a mass."""

    features = None

    def known_as(self, row, seed):
        return None

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
        return Prepared(x, x > -1, identity())

    def around(self, row, box, size_px):
        return around(self.prepared(row), box, size_px)

    def varied(self, picture, row, seed):
        noise = np.random.default_rng(seed).normal(0, 0.01, picture.x.shape)
        return Prepared((picture.x + noise).astype(np.float32), picture.mask, picture.affine)

    def toned(self, picture, seed):
        return self.varied(picture, None, seed)

    def turn(self, seed):
        return 0.0, False

    def mask_of(self, row, mark):
        raise AssertionError("nothing here is stored as a mask")


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


@pytest.fixture
def settle():
    """A method's record, settled config, aim, reads and stages for some training rows."""

    def make(name, rows=(), size="tiny", **config):
        method = get(name)
        settled = method.plan(method.configured(size, config), list(rows))
        aim = aim_of(method, settled, list(rows))
        return method, settled, aim, method.reads(settled, aim), method.stages(settled, aim)

    return make
