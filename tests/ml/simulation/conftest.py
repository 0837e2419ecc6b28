"""Phantoms that many tests look at, made once."""

import pytest

from ml.simulation.model import Exam, FindingSpec
from ml.simulation.phantom import exam

FINDINGS = (
    FindingSpec("mass", "L", "spiculated", 16.0),
    FindingSpec("calcification", "R", "pleomorphic", 12.0),
    FindingSpec("asymmetry", "R", size_mm=26.0),
    FindingSpec("architectural_distortion", "L", size_mm=24.0),
)


@pytest.fixture(scope="session")
def ill() -> Exam:
    """One finding of each type, without grain and without distractors."""
    return exam(11, density="b", findings=FINDINGS, noise=0, extras=False)


@pytest.fixture(scope="session")
def well() -> Exam:
    """The same woman without findings."""
    return exam(11, density="b", noise=0, extras=False)
