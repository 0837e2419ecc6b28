"""The calibrated learning checks: one seed of the true method, above the threshold that its figures gave."""

import warnings

import pytest

from bench.methods.calibrate import read, trained
from bench.methods.checks import CHECKS
from bench.methods.page import summary, values
from bench.methods.worlds import made
from ml.methods import get

#: CPU seconds of one training, as calibrated: the slow tests together have twenty minutes on two cores.
LONGEST_S = 60


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_method_learns_what_its_stub_cannot(check, tmp_path):
    document = read(check)
    if document is None or not document.get("accepted"):
        pytest.skip(f"property checks only: {summary(document) if document else 'not calibrated'}")
    seconds = [run["seconds"] for run in document["runs"] if run["side"] == "true" and run["seconds"]]
    if seconds and min(seconds) > LONGEST_S:
        pytest.skip(f"one training takes {min(seconds):.0f} s: make calibrate-methods METHODS={check.name}")
    world = made(tmp_path / "images", check.phantoms)
    value, _, _ = trained(tmp_path / "run", world, tmp_path / "images", check, check.true(get(check.method)),
                          check.config, check.seeds[0])  # fmt: skip
    threshold = document["threshold"]
    print(f"\n{check.name}: {check.metric} {value:.3f}, calibrated {summary(document)}")
    if value - threshold < (min(values(document, "true")) - threshold) / 3:
        warnings.warn(f"{check.name} is near its threshold: {value:.3f}, {threshold:.3f}", stacklevel=1)
    assert value > threshold
