"""Kappa, accuracy and F1: the worked example and scikit-learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn import metrics as sk

from ml.evaluation import categories as c
from ml.evaluation.undefined import Undefined

TRUTH = [0, 1, 2, 3, 1, 2, 2, 3, 0, 1]
PREDICTION = [0, 1, 1, 3, 2, 2, 3, 3, 1, 1]
near = partial(pytest.approx, abs=1e-6, nan_ok=True)


def test_e6_the_worked_agreement_comes_out():
    m = c.confusion(TRUTH, PREDICTION, 4)
    assert [float(c.kappa(m, w)) for w in ("quadratic", "linear", "none")] == near([0.8095238, 0.6491228, 0.4594595])
    assert (c.accuracy(m), c.balanced_accuracy(m), c.macro_f1(m)) == near((0.6, 0.625, 0.6095238))
    assert c.f1(m) == near([0.666667, 0.571429, 0.4, 0.8])
    assert c.accuracy(m, within=1) == near(1.0)


def test_a_class_that_never_occurs_changes_no_kappa():
    three, four = c.confusion([0, 1, 2, 2], [0, 2, 2, 1], 3), c.confusion([0, 1, 2, 2], [0, 2, 2, 1], 4)
    assert c.kappa(four) == near(c.kappa(three))
    assert c.macro_f1(four) == near(c.macro_f1(three))


@pytest.mark.parametrize(("rows", "reason"), [([2, 2, 2], "one_class"), ([], "empty")])
def test_one_class_on_both_sides_has_no_kappa(rows, reason):
    m = c.confusion(rows, rows, 4)
    with pytest.raises(Undefined) as raised:
        c.defined(c.kappa(m), m)
    assert raised.value.reason == reason


def test_replicates_at_once_are_replicates_one_by_one():
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 3, (6, 10)).astype(float)
    together = c.confusion_weighted(TRUTH, PREDICTION, 4, weights)
    for w, m in zip(weights.astype(int), together, strict=True):
        rows = np.repeat(np.arange(10), w)
        assert np.array_equal(m, c.confusion(np.array(TRUTH)[rows], np.array(PREDICTION)[rows], 4))
        assert c.kappa(together).shape == (6,)


def test_ours_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    for _ in range(200):
        y, p = rng.integers(0, 4, 30), rng.integers(0, 4, 30)
        m = c.confusion(y, p, 4)
        assert c.kappa(m) == near(sk.cohen_kappa_score(y, p, weights="quadratic"))
        assert c.kappa(m, "linear") == near(sk.cohen_kappa_score(y, p, weights="linear"))
        assert c.balanced_accuracy(m) == near(sk.balanced_accuracy_score(y, p))
        assert c.macro_f1(m) == near(sk.f1_score(y, p, average="macro"))
