"""The learning is real: on unseen phantom patients a model beats its baseline, and with shuffled labels it does not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_models_beat_their_baselines_on_unseen_patients_and_only_with_true_labels(tmp_path):
    command = [sys.executable, str(ROOT / "bench" / "methods" / "learning.py"), str(tmp_path / "out")]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    for result in json.loads((tmp_path / "out" / "learning.json").read_text()):
        model = result["figures"][result["metric"].split()[1]]["value"]
        gaps = [own["ci"][0] for name, own in result["figures"].items() if name.startswith("difference:")]
        if result["run"].endswith("true"):
            assert min(gaps) > 0, result
        else:
            assert min(gaps) <= 0, result
            assert model is not None
