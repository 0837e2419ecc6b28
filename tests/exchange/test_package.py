"""An export is one archive that always comes out the same."""

import hashlib
import json
import tracemalloc
import zipfile

import pytest

from exchange.exporters import FORMATS
from exchange.exporters.package import Head, write_archive
from exchange.rules import counts_of
from exchange.sources import sources_of
from tests.exchange.items import a_finding, a_mark, an_image, an_item


def some_items():
    image = an_image()
    return [an_item("one", images=[image], findings=[a_finding(a_mark(image))]), an_item("two", split="val")]


def archive(tmp_path, name, kind, items=some_items):
    head = Head("id", 4, "0" * 64, "2026-11-23T00:00:00+00:00", {"references": False}, counts_of(items()),
                sources_of(["dataset:mini-mias"]))  # fmt: skip
    (tmp_path / name).mkdir()
    write_archive(head, kind, items, tmp_path / name, tmp_path / f"{name}.zip")
    return tmp_path / f"{name}.zip"


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_the_same_snapshot_gives_the_same_bytes(tmp_path, kind):
    assert archive(tmp_path, "a", kind).read_bytes() == archive(tmp_path, "b", kind).read_bytes()


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_an_archive_carries_datasheet_counts_sources_and_checksums_that_hold(tmp_path, kind):
    with zipfile.ZipFile(archive(tmp_path, "a", kind)) as opened:
        names = set(opened.namelist())
        assert {"README.md", "counts.json", "sources.json", "SHA256SUMS"} < names
        for line in opened.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(opened.read(name)).hexdigest() == digest
        assert json.loads(opened.read("counts.json"))["exams"] == 2
        [source] = json.loads(opened.read("sources.json"))
        datasheet = opened.read("README.md").decode()
    assert source["licence"] in datasheet
    assert source["citation"] in datasheet
    assert "not a medical device" in datasheet


def test_only_the_coco_file_speaks_of_annotations(tmp_path):
    with zipfile.ZipFile(archive(tmp_path, "a", "coco")) as opened:
        speaking = [
            name for name in opened.namelist() if name.endswith(".json") and b'"annotations"' in opened.read(name)
        ]
    assert speaking == ["annotations.json"]


@pytest.mark.trap(48)
@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_memory_does_not_grow_with_the_snapshot(tmp_path, kind):
    def peak(name, exams):
        def items():
            for number in range(exams):
                image = an_image(f"i{number}")
                yield an_item(f"e{number}", images=[image], findings=[a_finding(a_mark(image))])

        (tmp_path / name).mkdir()
        tracemalloc.start()
        FORMATS[kind](items, tmp_path / name)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak("warm", 10)
    assert peak("large", 1000) < 2 * peak("small", 100) + 200_000
