"""docs/guides/first-hour.md: its own commands, in its own order.

The slow test runs them as a stranger would. The fast one has bash say what they are, variables and loops and all, and
calls the command line itself, so that torch is imported once; it learns two steps from seven patients.
"""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ml.cli.main import main
from ml.datasets.splits import keyed_split

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "guides" / "first-hour.md"
#: Patients of a split in the fast test.
FEW = {"train": 4, "val": 1, "test": 2}


def blocks(language):
    """The code of the page in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def bash(folder, **variables):
    """What the page's commands print, with these variables, in a folder that has what a clone has."""
    for name in ("ml", "docs"):
        (folder / name).symlink_to(ROOT / name)
    known = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **variables}
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + "".join(blocks("bash"))], cwd=folder, env={**os.environ, **known}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def a_part(whole, folder):
    """The first few patients of each split, which so small a set draws by key, one by one."""
    (folder / "images").mkdir(parents=True)
    shutil.copy(whole / "Info.txt", folder)
    wanted = dict(FEW)
    for film in sorted((whole / "images").iterdir()):
        split = keyed_split(0, f"mini-mias:{(int(film.stem[3:]) + 1) // 2}")
        if wanted[split] > 0:
            shutil.copy(film, folder / "images")
            wanted[split] -= 0.5  # two films a patient
    return folder


def look_at(folder, learned, loaded):
    """What the page promises is there; the program says of the first test film what the run's predictions say."""
    assert "images/s" in learned and " left" in learned
    assert "95 % intervals of the difference" in learned
    for method in ("dcse_resnet50", "se_attention"):
        assert (folder / "runs" / method / "model" / "card.md").is_file()
    about = json.loads((folder / "runs/exported/export.json").read_text())
    assert about["compared"]["phantoms"] == 8 and about["compared"]["max_difference"] <= 1e-3
    lines = (folder / "runs/dcse_resnet50/predictions.jsonl").read_text().splitlines()
    rows = [
        row
        for row in map(json.loads, lines)
        if row["split"] == "test" and row["level"] == "image" and row["kind"] == "prob"
    ]
    said = {row["label"]: row["prob"] for row in rows if row["image_id"] == min(r["image_id"] for r in rows)}
    assert ast.literal_eval(loaded.strip()) == pytest.approx(said, abs=1e-3)


@pytest.fixture
def signals():
    """A run takes the process's signals; here it must give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_model_is_loaded_in_ten_lines():
    (code,) = blocks("python")
    lines = [line for line in code.splitlines() if line]
    assert len(lines) - 1 <= 10  # the last one prints what was loaded


def test_the_page_works_on_a_part_of_the_set(shared_data, tmp_path, monkeypatch, capsys, signals):
    part, clone = a_part(shared_data / "mini-mias", tmp_path / "part"), tmp_path / "clone"
    clone.mkdir()
    monkeypatch.chdir(clone)
    for line in bash(clone, DATA=str(part), MAX_STEPS="2", PYTHON="echo").splitlines():
        dash, module, *arguments = shlex.split(line)
        assert (dash, module) == ("-m", "ml")
        assert main(arguments) == 0, capsys.readouterr().err
    learned = capsys.readouterr().err
    exec("".join(blocks("python")), {})
    look_at(clone, learned, capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_page_works_as_it_stands(shared_data, tmp_path):
    learned = bash(tmp_path, DATA=str(shared_data / "mini-mias"), PYTHON=sys.executable)
    loaded = subprocess.run(
        [sys.executable, "-c", "".join(blocks("python"))], cwd=tmp_path, text=True, check=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    look_at(tmp_path, learned, loaded.stdout)
