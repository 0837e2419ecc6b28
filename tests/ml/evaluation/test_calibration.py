"""Calibration: the worked examples, the temperature, and scikit-learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn import metrics as sk

from ml.evaluation import calibration as c
from ml.evaluation import classification
from ml.evaluation.undefined import Undefined

P = [0.05, 0.15, 0.15, 0.35, 0.35, 0.55, 0.65, 0.75, 0.85, 0.95]
Y = [0, 0, 1, 0, 1, 0, 1, 1, 1, 1]
P4 = [[0.7, 0.2, 0.1, 0], [0.1, 0.6, 0.2, 0.1], [0.2, 0.5, 0.2, 0.1], [0, 0.1, 0.5, 0.4], [0.1, 0.1, 0.3, 0.5]]
Y4 = [0, 1, 2, 2, 3]
LOGITS = [[4, 0], [3, 0], [5, 1], [0, 2], [1, 4], [4, 0], [0, 3], [2, 0]]
LOGITS_Y = [0, 0, 0, 1, 1, 1, 1, 0]
near = partial(pytest.approx, abs=1e-6)


def test_e4_the_worked_calibration_comes_out():
    assert c.reliability(Y, P, 10).ece == near(0.24)
    assert c.reliability(Y, P, 5).ece == near(0.23)
    assert c.reliability(Y, P, 10).mce == near(0.55)
    assert c.brier(Y, P) == near(0.1805)
    two = np.log(np.column_stack([1 - np.array(P), P]))
    assert c.nll(Y, two) == near(0.53223222)
    assert c.brier(Y4, P4) == near(0.416)
    assert np.mean(np.argmax(P4, axis=1) == Y4) == near(0.8)
    assert c.reliability(Y4, P4, 15).ece == near(0.24)
    assert classification.auc_one_vs_rest(Y4, P4) == near(0.9375)


def test_e5_the_worked_temperature_comes_out():
    t = c.fit_temperature(LOGITS_Y, LOGITS, least=2)
    assert t == pytest.approx(1.944989, abs=1e-4)
    assert c.nll(LOGITS_Y, LOGITS) == near(0.5567585)
    assert c.nll(LOGITS_Y, LOGITS, t) == near(0.4513133)


def test_too_few_or_one_class_keep_the_temperature_at_one():
    assert c.fit_temperature(LOGITS_Y, LOGITS) == 1.0
    assert c.fit_temperature([1] * 8, LOGITS, least=2) == 1.0


def test_bins_of_equal_count_hold_equal_counts():
    bins = c.reliability(Y, P, 5, "count")
    assert bins.n.tolist() == [2.0] * 5
    assert bins.n.sum() == len(P)


def test_nobody_has_no_calibration():
    with pytest.raises(Undefined):
        c.reliability([], [])
    with pytest.raises(Undefined):
        c.brier([], [])


def test_ours_agree_with_scikit_learn():
    rng = np.random.default_rng(2)
    for _ in range(200):
        y, p = rng.integers(0, 2, 25), rng.random(25)
        assert c.brier(y, p) == near(sk.brier_score_loss(y, p, labels=[0, 1], pos_label=1))
        assert c.brier_weighted(y, p, np.ones((2, 25))) == near([c.brier(y, p)] * 2)
