"""The weighted figures equal the plain ones, which equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation import classification as c
from ml.evaluation import ranking as r
from tests.ml.evaluation.test_classification import S, Y, random_with_ties

near = lambda value: pytest.approx(value, abs=1e-9)  # noqa: E731


def test_e1_comes_out_of_the_weighted_figures_too():
    curve = r.steps(Y, S, np.ones((1, 10)))
    assert r.average_precision(curve)[0] == pytest.approx(0.8761905, abs=1e-6)
    assert r.partial_auc(curve, 0.2)[0] == pytest.approx(0.7777778, abs=1e-6)
    assert [r.sensitivity_at(curve, at)[0] for at in (0.8, 0.9, 1.0)] == near([0.6, 0.6, 0.6])


def test_weights_of_one_give_the_plain_value_and_weights_are_repetitions():
    rng = np.random.default_rng(3)
    for y, s in random_with_ties(60):
        w = rng.integers(0, 3, len(y))
        repeated = np.repeat(np.arange(len(y)), w)
        for rows, weights in ((np.arange(len(y)), np.ones(len(y))), (repeated, w.astype(float))):
            curve = r.steps(y, s, weights[None])
            if len(set(y[rows].tolist())) < 2:
                assert not curve.known[0] and np.isnan(r.average_precision(curve)[0])
                continue
            assert r.average_precision(curve)[0] == near(c.average_precision(y[rows], s[rows]))
            for rate in (0.1, 0.5, 0.9):
                assert r.partial_auc(curve, rate)[0] == near(c.partial_auc(y[rows], s[rows], rate)[1])
                assert r.sensitivity_at(curve, rate)[0] == near(c.sensitivity_at(y[rows], s[rows], rate)[0])
                assert r.specificity_at(curve, rate)[0] == near(c.specificity_at(y[rows], s[rows], rate)[0])


def test_without_units_nothing_is_known():
    curve = r.steps([], [], np.ones((3, 0)))
    assert np.isnan(r.partial_auc(curve)).all() and np.isnan(r.specificity_at(curve, 0.9)).all()
