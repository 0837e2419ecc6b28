"""A look at validation: what it counts is what the report counts later."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ml.geometry.affine import identity
from ml.methods.spec import Aim, Prediction
from ml.runs.manifest import Finding, Mark
from ml.training.data import Sample
from ml.training.validating import lesion_values


@pytest.fixture
def masked(a_row):
    """A validation image whose mass a stored mask marks, rows 8-23 and columns 8-23, and one without."""
    mark = Mark(mark_id="m", kind="mask", geometry={"path": "m.png"})
    rows = [a_row(1, "val", findings=(Finding(finding_id="f", type="mass", marks=(mark,)),)), a_row(2, "val")]
    mask = np.zeros((64, 64), np.uint8)
    mask[8:24, 8:24] = 255
    return rows, SimpleNamespace(images=SimpleNamespace(mask_of=lambda row, mark: mask))


def test_a_mass_that_only_a_stored_mask_marks_is_found_in_validation(masked):
    rows, loader = masked
    said = Prediction(boxes=torch.tensor([[8.0, 8, 24, 24]]), scores=torch.tensor([0.9]), labels=torch.tensor([0]))
    nothing = Prediction(boxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0, dtype=torch.long))
    item = SimpleNamespace(affines=(identity(),))
    samples = [Sample(row.image_id, (row,), (True,)) for row in rows]
    answers = list(zip(samples, (item, item), (said, nothing), strict=True))
    aim = Aim(task="lesion_detection", labels=("mass",), target="boxes")
    assert lesion_values(answers, aim, loader) == {"cpm": 1.0, "sens@1": 1.0, "headline": 1.0}
