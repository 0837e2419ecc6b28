import pytest

from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.records import to_dict
from ml.runs.request import Request, parse_request, read_request, resolve_inside, write_request


def test_a_request_survives_writing_and_reading(tmp_path):
    request = Request(run_id="r1", method="dcse_resnet50", config={"steps": 5}, pixels={"cache_dir": "/tmp/cache"})
    write_request(tmp_path, request)
    assert read_request(tmp_path) == request
    assert read_request(tmp_path).cache_dir == "/tmp/cache"


@pytest.mark.parametrize(
    "change",
    [
        {"sead": 3},
        {"compute": {"device": "cpu", "worker": 2}},
        {"seed": "7"},
        {"schema": "mammoloop.request/2.0"},
        {"command": "train_me"},
        {"init": {"kind": "model_dir"}},
        {"init": {"kind": "weights_file"}},
        {"init": {"kind": "weights_file", "path": "init/w.pth", "layout": "keras"}},
        {"init": {"kind": "weights_file", "path": "init/w.pth", "mean": [0.5]}},
        {"init": {"kind": "weights_file", "path": "init/w.pth", "mean": [0.5, 0.5], "std": [1, 1]}},
        {"init": {"kind": "weights_file", "path": "init/w.pth", "mean": [0.5], "std": [0]}},
        {"data": {"train_fraction": 0}},
        {"data": {"folds": 5}},
        {"data": {"folds": 5, "fold": 5}},
        {"data": {"folds": 1, "fold": 0}},
        {"target": {"kind": "cancer"}},
    ],
)
def test_a_misspelt_or_mistyped_option_is_refused_with_exit_2(change):
    document = {**to_dict(Request(run_id="r1", method="m")), **change}
    with pytest.raises(RunRefused) as error:
        parse_request(document)
    assert error.value.exit == Exit.INVALID_REQUEST


def test_a_higher_minor_version_is_read():
    assert parse_request({"schema": "mammoloop.request/1.9", "run_id": "r", "method": "m"}).method == "m"


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "missing"])
def test_a_path_outside_the_run_folder_is_refused(tmp_path, path):
    (tmp_path / "outside").touch()
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(RunRefused) as error:
        resolve_inside(path, run)
    assert error.value.code == "path_outside"


def test_the_hash_of_a_request_changes_with_its_options():
    assert Request(run_id="r", method="m").sha256 != Request(run_id="r", method="m", seed=1).sha256
