"""What the learner sees of a snapshot."""

import pytest

from learning.manifest import age_band, labelled_rows, pool_rows
from ml.runs.validate import validate
from tests.exchange.items import a_finding, a_mark, an_image, an_item


def test_a_row_carries_density_marks_and_split_in_the_learner_s_words():
    image = an_image()
    item = an_item(images=[image], findings=[a_finding(a_mark(image), pathology="malignant")])
    [row] = labelled_rows([item])
    assert (row.density.label, row.split, row.complete, row.presentation) == ("B", "train", True, "film")
    assert row.findings[0].marks[0].geometry == [500.0, 400.0, 30.0]
    assert row.pixel_path == f"{row.sha256[:2]}/{row.sha256[2:4]}/{row.sha256}"
    validate([row])


def test_a_density_mapped_from_three_classes_keeps_its_scale():
    item = an_item(density="c")
    item["density"]["source"] = "tissue3:D"
    [row] = labelled_rows([item])
    assert (row.density.label, row.density.scale, row.density.source_label) == ("C", "tissue3", "D")


def test_a_finding_without_a_mark_makes_the_images_of_its_breast_incomplete():
    left, right = an_image("l"), an_image("r", laterality="R")
    rows = labelled_rows([an_item(images=[left, right], findings=[a_finding()])])
    assert {row.laterality: (row.complete, len(row.findings)) for row in rows} == {"L": (False, 1), "R": (True, 0)}


def test_a_finding_is_listed_in_the_images_that_show_it():
    cc, mlo = an_image("cc", view="CC"), an_image("mlo")
    rows = labelled_rows([an_item(images=[cc, mlo], findings=[a_finding(a_mark(cc))])])
    assert {row.view: len(row.findings) for row in rows} == {"CC": 1, "MLO": 0}


@pytest.mark.trap(5)
def test_processing_images_are_never_mixed_with_presentation_ones():
    shown, raw = an_image("a"), an_image("b", presentation="for_processing")
    item = an_item(images=[shown, raw])
    item["exam"]["source"] = ""
    assert [row.image_id for row in labelled_rows([item])] == [shown["id"]]
    item["images"] = [raw]
    assert [row.presentation for row in labelled_rows([item])] == ["for_processing"]


def test_unread_exams_are_pool_without_labels():
    exam = {"exam": {"id": "e", "source": "", "age_years": None}, "patient": {"id": "p"}, "images": [an_image()]}
    [row] = pool_rows([exam])
    assert (row.split, row.density, row.findings, row.dataset) == ("pool", None, (), None)


@pytest.mark.parametrize(("years", "band"), [(None, None), (39, "<40"), (40, "40-49"), (69, "60-69"), (90, ">=70")])
def test_ages_are_given_in_bands(years, band):
    assert age_band(years) == band
