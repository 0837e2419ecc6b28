"""E7: two images with three marks, two normal ones, eight candidates, and every figure that must come of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from ml.evaluation.detection.froc import CPM_RATES, cpm, froc, points, sensitivity
from ml.evaluation.detection.hits import hits
from ml.evaluation.detection.matching import Verdict, judge
from ml.evaluation.detection.precision import average_precision
from ml.evaluation.detection.things import Image, Mark, candidates

MARKS = {"1": [[10, 10, 30, 30]], "2": [[50, 50, 90, 90], [100, 100, 120, 120]], "3": [], "4": []}
CANDIDATES = [
    ("1", 0.95, [12, 12, 32, 32]),
    ("1", 0.60, [60, 60, 80, 80]),
    ("2", 0.90, [60, 60, 100, 100]),
    ("2", 0.55, [55, 55, 85, 85]),
    ("2", 0.40, [104, 100, 124, 120]),
    ("3", 0.80, [0, 0, 20, 20]),
    ("4", 0.30, [5, 5, 25, 25]),
    ("1", 0.20, [8, 8, 28, 28]),
]
T, F, D = Verdict.TRUE, Verdict.FALSE, Verdict.DUPLICATE
RATES = (0.125, 0.25, 0.5, 1.0)
near = partial(pytest.approx, abs=1e-6)


def an_image(image_id, boxes, units=None):
    marks = tuple(
        Mark(image_id, units[i] if units else f"{image_id}-{i}", "mass", "box", box) for i, box in enumerate(boxes)
    )
    return Image(image_id, image_id, f"p{image_id}", True, not boxes, 200, 200, None, marks)


IMAGES = [an_image(image_id, boxes) for image_id, boxes in MARKS.items()]
FOUND = {
    image: candidates(
        [b for i, _, b in CANDIDATES if i == image], [s for i, s, _ in CANDIDATES if i == image], ["mass"] * 9
    )
    for image in MARKS
}


def in_score_order(judged):
    return [Verdict(v) for v in judged.verdict[np.argsort(-judged.score, kind="stable")]]


def test_the_candidates_overlap_their_marks_as_worked_out():
    best = {}
    for image in IMAGES:
        own = FOUND[image.image_id]
        merit = hits(own, image.marks, image, "iou>=0.5").merit
        best |= {(image.image_id, float(s)): m.max(initial=0.0) for s, m in zip(own.scores, merit, strict=True)}
    assert [best[image_id, score] for image_id, score, _ in CANDIDATES] == near(
        [0.680672, 0, 0.391304, 0.5625, 0.666667, 0, 0, 0.680672]
    )


def exact_area(judged):
    """Under the precision envelope over recall, at every step and not at 101 points of it."""
    true = judged.verdict[np.argsort(-judged.score, kind="stable")] == T
    envelope = np.maximum.accumulate((np.cumsum(true) / np.arange(1, len(true) + 1))[::-1])[::-1]
    return envelope[true].sum() / len(judged.marks)


@pytest.mark.parametrize(("criterion", "area"), [("iou>=0.1", 0.8333333), ("iou>=0.2", 0.8333333), ("iou>=0.5", 2 / 3)])
def test_average_precision_is_the_exact_area_but_for_its_points(criterion, area):
    judged = judge(IMAGES, FOUND, "mass", criterion)
    assert exact_area(judged) == near(area)
    assert average_precision(judged) == pytest.approx(area, abs=1 / 101)


@pytest.mark.parametrize("criterion", ["centre_in_mark", "iou>=0.1", "iou>=0.2"])
def test_a_generous_criterion(criterion):
    judged = judge(IMAGES, FOUND, "mass", criterion)
    assert in_score_order(judged) == [T, T, F, F, D, T, F, D]
    normal, complete = froc(judged), froc(judged, on="complete")
    assert sensitivity(normal, RATES)[0] == near([2 / 3, 2 / 3, 1, 1])
    assert cpm(normal)[0] == cpm(complete)[0] == near(0.9047619)
    assert average_precision(judged) == near(0.8316832)


def test_a_strict_criterion():
    judged = judge(IMAGES, FOUND, "mass", "iou>=0.5")
    assert in_score_order(judged) == [T, F, F, F, T, T, F, D]
    normal, complete = froc(judged), froc(judged, on="complete")
    assert sensitivity(normal, RATES)[0] == near([1 / 3, 1 / 3, 1, 1])
    assert cpm(normal)[0] == near(0.8095238)
    assert sensitivity(complete, RATES)[0] == near([1 / 3, 1 / 3, 1 / 3, 1])
    assert cpm(complete)[0] == near(0.7142857)
    assert average_precision(judged) == near(0.6683168)


def test_two_marks_of_one_finding_are_found_once():
    one_finding = [IMAGES[0], an_image("2", MARKS["2"], units=["f", "f"]), *IMAGES[2:]]
    curve = froc(judge(one_finding, FOUND, "mass", "iou>=0.5"))
    assert len(curve.units) == 2
    _, y, t = points(curve)
    assert y[np.flatnonzero(t == 0.55)[0]] == 1.0


def test_the_curve_never_falls_and_starts_at_nothing():
    x, y, t = points(froc(judge(IMAGES, FOUND, "mass", "iou>=0.5")))
    assert (x[0], y[0], t[0]) == (0, 0, np.inf)
    assert (np.diff(x) >= 0).all() and (np.diff(y) >= 0).all() and (np.diff(t) < 0).all()


def test_repeating_every_patient_changes_no_value():
    twice = [
        *IMAGES,
        *(
            replace(
                i,
                image_id=i.image_id + "b",
                patient_id=i.patient_id + "b",
                marks=tuple(replace(m, image_id=m.image_id + "b", unit=m.unit + "b") for m in i.marks),
            )
            for i in IMAGES
        ),
    ]
    found = {**FOUND, **{k + "b": v for k, v in FOUND.items()}}
    for criterion in ("centre_in_mark", "iou>=0.5"):
        once, both = (froc(judge(i, f, "mass", criterion)) for i, f in ((IMAGES, FOUND), (twice, found)))
        assert sensitivity(both, CPM_RATES)[0] == near(sensitivity(once, CPM_RATES)[0])


def test_weights_of_patients_are_repetitions_of_their_images():
    curve = froc(judge(IMAGES, FOUND, "mass", "centre_in_mark"))
    # Image 2 twice, image 3 not at all: five units of which the hits are .95, .90 x2, .40 x2; one normal with FP .30.
    assert sensitivity(curve, (0.5, 1.0), np.array([[1.0, 2.0, 0.0, 1.0]]))[0] == near([1.0, 1.0])
    # Without any normal image there is no false positive rate.
    assert np.isnan(sensitivity(curve, (1.0,), np.array([[1.0, 1.0, 0.0, 0.0]]))).all()
