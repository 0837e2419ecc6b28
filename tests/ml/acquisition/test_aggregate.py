"""Lesion to image to breast to exam: what makes an exam worth reading, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from ml.acquisition.aggregate import ImagePasses, density_part, exam_parts, image_value, lesion_part, top_mean
from ml.acquisition.uncertainty import mutual_information, two_class

UNSURE = np.array([[0.9], [0.1], [0.8], [0.2]])
SURE = np.full((4, 1), 0.9)


def test_the_worked_top_mean_comes_out():
    assert top_mean([0.8, 0.3, 0.2, 0.1, 0.05], k=3) == pytest.approx(0.433333, abs=1e-6)


def test_one_unsure_box_beats_none_and_forty_do_not_beat_two():
    assert image_value(np.zeros((4, 0))) == 0.0
    one, two, forty = (image_value(np.repeat(UNSURE, n, axis=1)) for n in (1, 2, 40))
    assert 0 < one < two == forty


def test_only_the_twenty_best_candidates_are_looked_at():
    best = np.full((4, 20), 0.95)
    assert image_value(np.hstack([UNSURE, best])) == pytest.approx(0.0, abs=1e-12)


def test_an_exam_is_as_unsure_of_a_lesion_as_its_most_unsure_image():
    part = lesion_part({"R": SURE, "L": UNSURE})
    assert part.kind == "mutual_information"
    assert part.value == part.images["L"] == pytest.approx(0.280404 / 2, abs=1e-6)
    assert part.images["R"] == pytest.approx(0.0, abs=1e-12)


def test_density_is_averaged_over_the_images_pass_by_pass_before_it_is_compared():
    right, left = two_class([0.9, 0.1, 0.9, 0.1]), two_class([0.1, 0.9, 0.1, 0.9])
    part = density_part({"R": right, "L": left})
    assert part.value == pytest.approx(0.0, abs=1e-12)
    assert part.images["R"] == pytest.approx(float(mutual_information(right)))


def test_a_single_pass_gives_the_entropy_and_says_so():
    part = density_part({"R": two_class([0.5])})
    assert (part.kind, part.value) == ("entropy", pytest.approx(np.log(2)))


def test_a_model_that_answers_nan_leaves_the_exam_unscored():
    assert lesion_part({"R": np.full((4, 2), np.nan), "L": UNSURE}).value is None
    assert density_part({"R": np.full((4, 3), np.nan)}).value is None


def test_rows_are_one_an_exam_and_part_whatever_the_order_of_the_images():
    images = [
        ImagePasses("e2", "i3", lesions={"mass": SURE}),
        ImagePasses("e1", "i1", density=two_class([0.9, 0.1]), lesions={"mass": SURE, "asymmetry": UNSURE}),
        ImagePasses("e1", "i2", density=two_class([0.9, 0.2]), lesions={"mass": UNSURE, "asymmetry": SURE}),
    ]
    rows = exam_parts(images)
    assert [(row["exam_id"], row["part"]) for row in rows] == [
        ("e1", "asymmetry"), ("e1", "density"), ("e1", "mass"), ("e2", "mass"),
    ]  # fmt: skip
    assert set(rows[0]["images"]) == {"i1", "i2"}
    again = exam_parts(images[::-1])
    assert [row["value"] for row in again] == pytest.approx([row["value"] for row in rows])


def test_no_images_give_no_rows():
    assert exam_parts([]) == []
