"""The real learner as a real child: watched, cancelled, killed, orphaned, resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from learning.errors import ChildStalled
from learning.supervise import Patience, StopChild, environment, supervise
from ml.datasets import mini_mias
from ml.runs.exits import Exit
from ml.runs.folder import RunFolder
from ml.runs.manifest import ManifestRow, write_manifest
from ml.runs.records import from_dict
from ml.runs.request import EvaluationOptions, Request, write_request
from ml.runs.result import read_result

FAST = Patience(poll=0.05, cancel_file=30, sigterm=10, give_back=20)


class Seen:
    """Keeps the events; `until(kind)` is the event at which the child is to be stopped."""

    def __init__(self, until=None, how="cancel", act=None):
        self.all, self.until, self.how, self.act = [], until, how, act
        self.stills = []

    def events(self, new):
        self.all += new

    def check(self):
        if self.until and any(event["type"] == self.until for event in self.all):
            if self.act is not None:
                act, self.act = self.act, None
                act(self.all[0]["pid"])
            elif self.how:
                raise StopChild(self.how, Stopped())

    def still(self, seconds, where):
        self.stills.append((seconds, where, len(self.all)))


class Stopped(Exception):
    """What the job raises when its child is gone."""


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Twelve patients of noise, three densities: enough to train on, quick to read."""
    folder = tmp_path_factory.mktemp("films")
    rows = [f"mdb{n:03d} {'FGD'[(n - 1) // 2 % 3]} NORM" for n in range(1, 25)]
    (folder / "Info.txt").write_text("\n".join(rows))
    for row in rows:
        noise = np.random.default_rng(int(row[3:6])).integers(0, 255, (128, 128), np.uint8)
        Picture.fromarray(noise).save(folder / f"{row[:6]}.pgm")
    return folder


@pytest.fixture
def run_dir(films, tmp_path, tmp_path_factory):
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [from_dict(ManifestRow, row) for row in mini_mias.manifest_rows(films)]
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    patients = sorted({row.patient_id for row in rows})
    by_patient = dict(zip(patients, splits, strict=True))
    document = [{**row, "split": by_patient[row["patient_id"]]} for row in mini_mias.manifest_rows(films)]
    write_manifest(folder, [from_dict(ManifestRow, row) for row in document], pixels_root=films)
    order(folder, steps=25)
    return folder


def order(folder, *, steps, **more):
    request = Request(
        run_id="r", method="dcse_resnet50", size="tiny", config={"steps": steps, "batch": 4},
        pixels={"cache_dir": str(folder.parent / "cache")}, evaluation=EvaluationOptions(bootstrap=20), **more,
    )  # fmt: skip
    write_request(folder, request)


def train(folder, watch, patience=FAST):
    return supervise("train", folder, watch, env=environment(threads=1, gpu=None), patience=patience)


def gone(pid):
    """Is the process gone? A zombie of ours counts as gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until(condition, seconds=40):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.trap(44)
@pytest.mark.trap(45)
def test_a_child_that_was_killed_is_started_again_and_finishes(run_dir):
    first = Seen(until="stage_started", how=None, act=lambda pid: os.kill(pid, signal.SIGKILL))
    assert train(run_dir, first) == -signal.SIGKILL
    again = Seen()
    assert train(run_dir, again) == Exit.FINISHED
    numbers = [event["seq"] for event in again.all]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [event["attempt"] for event in again.all if event["type"] == "started"] == [1, 2]
    assert read_result(run_dir) is not None


@pytest.mark.trap(45)
def test_a_child_that_hangs_is_ended_with_a_sentence_and_can_be_resumed(run_dir):
    """Stopped as a machine that swaps or a disk that is gone stops it: alive for the system, and no sign of life."""
    order(run_dir, steps=100_000)
    hung = Seen(until="stage_started", how=None, act=lambda pid: os.kill(pid, signal.SIGSTOP))
    with pytest.raises(ChildStalled) as raised:
        train(run_dir, hung, replace(FAST, frozen=12))
    assert gone(hung.all[0]["pid"]) and raised.value.transient
    assert raised.value.detail["seconds"] >= 12 and "no sign of life" in raised.value.sentence
    order(run_dir, steps=25)
    assert train(run_dir, Seen()) == Exit.FINISHED


@pytest.mark.trap(45)
def test_a_stand_still_is_told_once_and_ends_nothing(run_dir):
    """Loading the libraries takes longer than a fifth of a second: so far it makes no step, and says nothing."""
    watch = Seen()
    assert train(run_dir, watch, replace(FAST, still=0.2)) == Exit.FINISHED
    [(seconds, where, _)] = [said for said in watch.stills if said[2] == 0]  # before the first event
    assert seconds > 0.2 and where == "start, step 0"


def test_a_cancelled_child_says_so_and_can_be_resumed(run_dir):
    with pytest.raises(Stopped):
        train(run_dir, Seen(until="stage_started", how="cancel"))
    last = json.loads((run_dir / "events.jsonl").read_text().splitlines()[-1])
    assert (last["type"], last["resumable"]) == ("cancelled", True)
    again = Seen()
    assert train(run_dir, again) == Exit.FINISHED
    assert [event["attempt"] for event in again.all if event["type"] == "started"] == [1, 2]


def test_a_child_that_is_given_back_leaves_when_its_pipe_ends(run_dir):
    seen = Seen(until="stage_started", how="give_back")
    with pytest.raises(Stopped):
        train(run_dir, seen)
    assert seen.all[-1]["type"] == "cancelled"
    assert gone(seen.all[0]["pid"])


def test_a_worker_that_is_killed_leaves_no_orphan(run_dir):
    order(run_dir, steps=100_000)
    code = (
        "import sys; from pathlib import Path; from learning.supervise import *\n"
        "class Quiet:\n    def events(self, new): print(new[0].get('pid'), flush=True)\n    def check(self): pass\n"
        "    def still(self, seconds, where): pass\n"
        f"supervise('train', Path({str(run_dir)!r}), Quiet(), env=environment(threads=1, gpu=None))"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(worker.stdout.readline())
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: gone(pid))
    with RunFolder(run_dir).locked():
        pass


def test_a_request_that_is_not_valid_ends_with_its_code_and_a_log(run_dir):
    (run_dir / "request.json").write_text("{}")
    assert train(run_dir, Seen()) == Exit.INVALID_REQUEST
    assert (run_dir / "logs" / "stdout.txt").read_text()


def test_a_folder_that_another_process_holds_is_said(run_dir):
    with RunFolder(run_dir).locked():
        assert train(run_dir, Seen()) == Exit.LOCKED


def test_the_child_knows_nothing_of_our_secrets(monkeypatch):
    monkeypatch.setenv("MAMMOLOOP_SECRET_DJANGO", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    env = environment(threads=1, gpu=None)
    assert "secret" not in " ".join(env.values())
    assert (env["OMP_NUM_THREADS"], env["OMP_WAIT_POLICY"], env["CUDA_VISIBLE_DEVICES"]) == ("1", "PASSIVE", "")
    assert environment(threads=2, gpu=1)["CUDA_VISIBLE_DEVICES"] == "1"
