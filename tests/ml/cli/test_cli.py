"""The command line: quick, without torch where it does not learn, and honest exit codes."""

import json
import subprocess
import sys

import pytest

from ml.cli.main import main
from ml.runs.exits import Exit
from ml.runs.request import Target, read_request

KEYS = {"name", "seed_row", "task", "findings", "fidelity", "reference", "sizes", "serves", "needs", "inputs"}


def test_the_list_of_methods_needs_no_torch_and_no_django():
    code = (
        "import sys; from ml.cli.main import main; main(['list', '--json']); "
        "assert not {'torch', 'django', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert all(row.keys() >= KEYS and {"tiny", "large"} <= set(row["sizes"]) for row in json.loads(done.stdout))


def test_init_writes_a_request_that_is_read_back(tmp_path):
    run = tmp_path / "run"
    assert main(["init", str(run), "--method", "retinanet_mass", "--steps", "7", "--cache", str(tmp_path / "c")]) == 0
    request = read_request(run)
    assert (request.method, request.config, request.task) == ("retinanet_mass", {"steps": 7}, "lesion_detection")
    assert len(request.findings) == 4


def test_init_takes_a_target_and_a_fold(tmp_path):
    asked = ["--target", "pathology:mass,calcification", "--folds", "5", "--fold", "0"]
    assert main(["init", str(tmp_path), "--method", "retinanet_mass", *asked]) == 0
    request = read_request(tmp_path)
    assert request.target == Target(kind="pathology", findings=("mass", "calcification"))
    assert (request.data.folds, request.data.fold) == (5, 0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["init", "RUN", "--method", "alchemy"], Exit.INVALID_REQUEST),
        (["init", "RUN", "--method", "retinanet_mass", "--size", "huge"], Exit.INVALID_REQUEST),
        (["init", "RUN", "--method", "retinanet_mass", "--model", "nowhere"], Exit.INVALID_REQUEST),
        (["init", "RUN", "--method", "retinanet_mass", "--target", "cancer"], Exit.INVALID_REQUEST),
        (["init", "RUN", "--method", "retinanet_mass", "--target", "presence:moon"], Exit.INVALID_REQUEST),
        (["init", "RUN", "--method", "retinanet_mass", "--folds", "5", "--fold", "5"], Exit.INVALID_REQUEST),
        (["manifest", "moon", ".", "RUN"], Exit.INVALID_REQUEST),
        (["manifest", "mini-mias", ".", "RUN"], Exit.INVALID_REQUEST),
        (["train", "RUN/absent"], Exit.INVALID_REQUEST),
        (["train", "RUN"], Exit.INVALID_REQUEST),
    ],
)
def test_a_mistake_is_said_with_exit_2(tmp_path, arguments, code):
    assert main([word.replace("RUN", str(tmp_path)) for word in arguments]) == code
