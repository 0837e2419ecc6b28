"""The histogram regression learns what a histogram can show, and says nothing of classes it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.baselines.density import bright_share, by_cuts, by_exam, cuts, features, prior
from ml.evaluation.baselines.regression import fit, predict
from tests.ml.evaluation.reports.factories import an_image


def pictures(labels, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([features(an_image(np.clip(rng.normal(0.2 + 0.2 * k, 0.1, (40, 40)), 0, 1))) for k in labels])


def test_the_prior_is_the_frequency_of_the_classes():
    assert prior([0, 0, 1, 3]).tolist() == [0.5, 0.25, 0, 0.25]


def test_features_are_of_the_breast_alone():
    x = np.random.default_rng(1).random((40, 40))
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    inside, again = an_image(x, mask=mask), an_image(np.where(mask, x, 0.99), mask=mask)
    assert np.array_equal(features(inside), features(again))
    assert features(inside)[:64].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("flat", [np.zeros((10, 10)), np.full((10, 10), 0.5)])
def test_a_flat_image_has_plain_features(flat):
    assert np.isfinite(features(an_image(flat))).all()


def test_it_learns_brightness_and_gives_an_unseen_class_nothing():
    labels = np.array([0, 1, 2] * 10)
    model = fit(pictures(labels), labels, [f"p{i}" for i in range(30)])
    p = predict(model, pictures([0, 1, 2, 2], seed=9), 4)
    assert p.argmax(axis=1).tolist() == [0, 1, 2, 2]
    assert (p[:, 3] == 0).all() and p.sum(axis=1) == pytest.approx(1.0)


def test_the_same_study_gives_the_same_model():
    labels = np.array([0, 1] * 12)
    patients = [f"p{i}" for i in range(24)]
    first, again = (predict(fit(pictures(labels), labels, patients), pictures([0, 1], 5), 4) for _ in range(2))
    assert np.array_equal(first, again)


def test_images_of_an_exam_are_averaged():
    found = by_exam(np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]), ["a", "a", "b"])
    assert found["a"].tolist() == [0.5, 0.5, 0, 0] and found["b"].tolist() == [0, 0, 1, 0]


def test_cuts_put_as_many_training_exams_below_as_the_readers_did():
    shares = np.linspace(0.01, 0.99, 20)
    labels = np.repeat([0, 1, 2, 3], [4, 8, 6, 2])
    said = np.array([by_cuts(share, cuts(shares, labels)).argmax() for share in shares])
    assert np.bincount(said).tolist() == [4, 8, 6, 2]
    # A class that training never saw is never said.
    assert 3 not in {int(by_cuts(share, cuts(shares, np.repeat([0, 1, 2], [6, 6, 8]))).argmax()) for share in shares}


def test_the_bright_share_is_the_part_above_otsus_threshold():
    x = np.full((40, 40), 0.2)
    x[:10, :20] = 0.8
    assert bright_share(an_image(x)) == pytest.approx(0.25)
