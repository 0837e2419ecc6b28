"""The command line: quick, without torch where it does not learn, and honest exit codes."""

import json
import os
import signal
import subprocess
import sys

import pytest

from ml.cli.main import main
from ml.runs.exits import Exit
from ml.runs.manifest import read_manifest, read_meta
from ml.runs.request import Target, read_request
from ml.runs.validate import validate

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


def test_init_takes_settings_a_task_and_a_weights_file(tmp_path):
    file = tmp_path / "net.pth"
    file.write_bytes(b"weights")
    asked = ["--set", "views=single", "--set", "input_px=64", "--weights", str(file), "--layout", "timm"]
    assert main(["init", str(tmp_path / "run"), "--method", "dcse_resnet50", *asked]) == 0
    request = read_request(tmp_path / "run")
    assert request.config == {"views": "single", "input_px": 64}
    assert (request.init.kind, request.init.layout, request.init.path) == ("weights_file", "timm", "init/weights.pth")
    assert (tmp_path / "run" / "init" / "weights.pth").read_bytes() == b"weights"
    assert main(["init", str(tmp_path / "run"), "--method", "aunet", "--task", "lesion_detection"]) == 0
    assert read_request(tmp_path / "run").task == "lesion_detection"


def test_init_takes_what_is_known_of_a_weights_file(tmp_path):
    file = tmp_path / "net.pth"
    file.write_bytes(b"weights")
    asked = ["--weights", str(file), "--mean", "0.5", "0.4", "0.3", "--std", "0.2", "0.2", "0.1", "--allow-partial",
             "--licence", "BSD-3-Clause", "--origin", "trained here"]  # fmt: skip
    assert main(["init", str(tmp_path / "run"), "--method", "dcse_resnet50", *asked]) == 0
    init = read_request(tmp_path / "run").init
    assert (init.mean, init.std, init.allow_partial) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1), True)
    assert (init.layout, init.licence, init.origin) == ("auto", "BSD-3-Clause", "trained here")
    for words in (["--mean", "0.5"], ["--mean", "0.5", "0.5", "--std", "0.1", "0.1"], ["--mean", "0", "--std", "0"]):
        assert main(["init", str(tmp_path / "no"), "--method", "aunet", "--weights", str(file), *words]) == 2
    assert not (tmp_path / "no" / "request.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "view=single"], "no setting 'view'; there is, at size tiny: views="),
        (["--set", "views=three"], "views: expected one of auto, single, two, four"),
        (["--set", "input_px=1.5"], "input_px: expected a whole number"),
        (["--set", "views"], "KEY=VALUE"),
        (["--task", "segmentation"], "it serves density"),
        (["--layout", "timm"], "--weights"),
        (["--mean", "0.5", "--std", "0.2"], "--mean, --std: only with --weights"),
        (["--allow-partial", "--licence", "MIT"], "--allow-partial, --licence: only with --weights"),
        (["--weights", "nowhere.pth"], "there is no file nowhere.pth"),
        (["--weights", "net.onnx"], ".safetensors"),
    ],
)
def test_a_wrong_setting_task_or_file_is_refused_with_what_there_is(tmp_path, capsys, words, said):
    assert main(["init", str(tmp_path), "--method", "dcse_resnet50", *words]) == Exit.INVALID_REQUEST
    assert said in capsys.readouterr().err and not (tmp_path / "request.json").exists()


def test_phantoms_are_a_folder_that_can_be_learned_from(tmp_path):
    """Any clone has data: DICOM files, a manifest that is valid, and the same bytes for the same seed."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        assert main(["phantoms", str(folder), "--exams", "1", "--spacing", "2", "--seed", "3"]) == 0
    one, two = (read_manifest(folder) for folder in folders)
    assert one == two and {row.view for row in one} == {"CC", "MLO"} and len(one) == 4
    assert all(row.density and row.complete and (folders[0] / "images" / row.pixel_path).is_file() for row in one)
    marked = [mark for row in one for finding in row.findings for mark in finding.marks]
    assert len(marked) == 2  # one lesion in both views of a breast
    assert validate(one, needs=(), findings=("mass",), kinds=("standard",)).rows


def test_init_takes_the_manifest_of_another_folder(tmp_path):
    main(["phantoms", str(tmp_path / "data"), "--exams", "1", "--spacing", "2"])
    asked = ["--manifest", str(tmp_path / "data"), "--max-steps", "2", "--precision", "bf16", "--deterministic"]
    assert main(["init", str(tmp_path / "run"), "--method", "dcse_resnet50", *asked]) == 0
    compute = read_request(tmp_path / "run").compute
    assert (compute.max_steps, compute.precision, compute.deterministic) == (2, "bf16", True)
    assert read_manifest(tmp_path / "run") == read_manifest(tmp_path / "data")
    assert read_meta(tmp_path / "run").pixels_root == str(tmp_path / "data" / "images")


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
        (["init", "RUN", "--method", "retinanet_mass", "--manifest", "nowhere"], Exit.INVALID_REQUEST),
        (["phantoms", "RUN", "--exams", "0"], Exit.INVALID_REQUEST),
        (["export", "RUN", "RUN/out"], Exit.INVALID_REQUEST),
        (["compare", "RUN", "RUN"], Exit.INVALID_REQUEST),
        (["train", "RUN/absent"], Exit.INVALID_REQUEST),
        (["train", "RUN"], Exit.INVALID_REQUEST),
    ],
)
def test_a_mistake_is_said_with_exit_2(tmp_path, arguments, code):
    assert main([word.replace("RUN", str(tmp_path)) for word in arguments]) == code


@pytest.mark.parametrize("command", ["list", "list --json"])
def test_a_reader_that_has_seen_enough_ends_it_quietly(command):
    """Unbuffered, so that the first line that nobody reads already fails."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -u -m ml {command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("0", "")


@pytest.mark.parametrize(
    "words",
    ["--steps -4", "--steps many", "--max-steps 0", "--workers -2", "--explanations -1", "--finding moon"],
)
def test_a_number_out_of_its_range_is_refused_before_anything_is_written(tmp_path, words):
    with pytest.raises(SystemExit) as ended:
        main(["init", str(tmp_path / "run"), "--method", "retinanet_mass", *words.split()])
    assert ended.value.code == Exit.INVALID_REQUEST and not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for words in (["init", "RUN", "--method", "retinanet_mass"], ["phantoms", "RUN", "--exams", "1", "--spacing", "2"]):
        run = str(tmp_path / "file" / "run")
        assert main([word.replace("RUN", run) for word in words]) == Exit.INVALID_REQUEST
        said = capsys.readouterr().err
        assert said.startswith("file_unusable: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "has no request.json"), ("{", "is not JSON"), ('{"schema": "mammoloop.request/9.0"}', "request/9.0")],
)
def test_a_folder_that_is_no_run_says_what_is_wrong(tmp_path, capsys, content, said):
    if content is not None:
        (tmp_path / "request.json").write_text(content)
    assert main(["train", str(tmp_path)]) == Exit.INVALID_REQUEST
    assert said in capsys.readouterr().err


def test_ctrl_c_ends_a_command_with_a_sentence(tmp_path):
    """The command waits for rows from a pipe when the signal comes."""
    rows = tmp_path / "rows"
    os.mkfifo(rows)
    command = [sys.executable, "-m", "ml", "manifest", "own", str(tmp_path), str(tmp_path / "run"), "--rows", str(rows)]
    # The pipe opens here when the command opens it. Whoever runs the tests in the background ignores the signal, and
    # their children would, too.
    started = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    with started as running, rows.open("w"):
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == Exit.CANCELLED
    assert said == "interrupted: manifest ended before it was done\n"
