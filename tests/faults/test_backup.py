"""A backup of a running platform brings everything back somewhere else."""

import shutil
from pathlib import Path

import pytest

from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(600)


def test_what_was_backed_up_is_there_after_the_restore(tmp_path: Path) -> None:
    first = Platform(tmp_path / "first", ("--empty",))
    first.start()
    try:
        project = first.client("admin").post("/api/v1/projects/", {"name": "Kept"})
        first.manage("backup", str(tmp_path / "all.backup"))
    finally:
        first.stop()
    assert (tmp_path / "all.backup").stat().st_mode & 0o077 == 0
    second = Platform(tmp_path / "second", ("--empty",))
    second.manage("restore", str(tmp_path / "all.backup"))
    second.start()
    try:
        again = second.client("admin").get(f"/api/v1/projects/{project['id']}/")
        assert again["name"] == "Kept"
        assert second.password("admin") == first.password("admin")
        with pytest.raises(AssertionError, match=r"state_not_empty|already"):
            second.manage("restore", str(tmp_path / "all.backup"))
    finally:
        second.stop()
        shutil.rmtree(tmp_path / "first")
