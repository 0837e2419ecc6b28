import subprocess
import sys

import pytest

from ml.runs import atomic
from ml.runs.cancel import Stopped, StopRequest
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit, meaning_of
from ml.runs.folder import RunFolder
from ml.runs.heartbeat import Heartbeat
from ml.runs.result import read_result, write_result


def test_a_second_process_does_not_get_the_folder(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.locked(), pytest.raises(RunRefused) as error, RunFolder(tmp_path).locked():
        pass
    assert error.value.exit == Exit.LOCKED
    with folder.locked():
        pass


def test_leftovers_of_a_killed_write_are_removed_when_the_lock_is_held(tmp_path):
    (tmp_path / "model.tmp-123").mkdir()
    (tmp_path / ".metrics.json.tmp-123").touch()
    with RunFolder(tmp_path).locked():
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_folder_is_replaced_whole_and_its_predecessor_is_found_after_a_crash(tmp_path):
    path = tmp_path / "last"
    atomic.replace_folder(path, lambda fresh: (fresh / "a").write_text("1") and None)
    atomic.replace_folder(path, lambda fresh: (fresh / "a").write_text("2") and None)
    assert (path / "a").read_text() == "2"
    path.rename(tmp_path / "last.old")
    assert (atomic.settled(path) / "a").read_text() == "2"


def test_a_result_counts_only_while_its_files_have_their_hashes(tmp_path):
    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(b"w")
    assert read_result(tmp_path) is None
    write_result(tmp_path, command="train", best={"qwk": 0.5}, files=[tmp_path / "model"])
    result = read_result(tmp_path)
    assert result is not None
    assert list(result.files) == ["model/weights.safetensors"]
    weights.write_bytes(b"v")
    assert read_result(tmp_path) is None


def test_the_cancel_file_ends_a_run_with_its_reason(tmp_path):
    stop = StopRequest(tmp_path)
    stop.check()
    RunFolder(tmp_path).ask_to_cancel("by admin")
    stop._next_look = 0.0
    with pytest.raises(Stopped, match="by admin") as stopped:
        stop.check()
    assert stopped.value.exit == Exit.CANCELLED


def test_the_time_budget_ends_a_run(tmp_path):
    with pytest.raises(Stopped) as stopped:
        StopRequest(tmp_path, max_seconds=-1).check()
    assert stopped.value.exit == Exit.TIME_BUDGET


def test_a_heartbeat_says_where_the_run_is(tmp_path):
    with Heartbeat(tmp_path) as heart:
        heart.stage, heart.step = "main", 7
        heart.beat()
    assert '"step": 7' in (tmp_path / "heartbeat.json").read_text()


def test_every_exit_code_has_a_meaning():
    assert all(code.meaning for code in Exit)
    assert "signal 9" in meaning_of(137)
    assert "signal 9" in meaning_of(-9)


def test_the_run_folder_needs_no_torch_and_no_django():
    code = (
        "import sys, pkgutil, importlib, ml.runs\n"
        "[importlib.import_module(m.name) for m in pkgutil.iter_modules(ml.runs.__path__, 'ml.runs.')]\n"
        "assert not {'torch', 'django', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
