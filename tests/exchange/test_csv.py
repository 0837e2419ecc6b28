"""CSV: every image, every mark, and findings that nobody marked."""

import csv as reader

import pytest

from exchange.exporters import csv
from tests.exchange.items import a_finding, a_mark, an_image, an_item


def tables(folder, items):
    csv.write(lambda: iter(items), folder)
    return [list(reader.DictReader((folder / name).open(newline=""))) for name in ("images.csv", "findings.csv")]


def test_normal_images_have_a_row(tmp_path):
    images, findings = tables(tmp_path, [an_item()])
    assert [(row["file_name"], row["normal"], row["findings"]) for row in images] == [("onea.pgm", "1", "0")]
    assert findings == []


def test_a_finding_without_a_mark_has_a_row_and_its_image_is_not_normal(tmp_path):
    left, right = an_image("l"), an_image("r", laterality="R")
    item = an_item(images=[left, right], findings=[a_finding(type="calcification", source_label="CALC B NOTE 3")])
    images, findings = tables(tmp_path, [item])
    assert {row["normal"] for row in images} == {"0"}
    [row] = findings
    assert (row["type"], row["mark_id"], row["file_name"]) == ("calcification", "", "l.pgm")
    assert row["source_label"] == "CALC B NOTE 3"


def test_a_mark_is_there_with_its_geometry_to_the_last_digit(tmp_path):
    image = an_image()
    mark = a_mark(image, "circle", [100.1, 200.30000000000001, 9.0])
    _, [row] = tables(tmp_path, [an_item(images=[image], findings=[a_finding(mark)])])
    assert row["geometry"] == "[100.1,200.3,9.0]"
    assert [float(row[side]) for side in ("x0", "y0", "x1", "y1")] == pytest.approx([91.1, 191.3, 109.1, 209.3])


def test_a_cell_that_a_spreadsheet_would_run_stays_text(tmp_path):
    images, _ = tables(tmp_path, [an_item(images=[an_image(source_name="=cmd|' /C calc'!A0")])])
    assert images[0]["file_name"].startswith("'=")
