"""The weighted figures equal the plain ones, which equal scikit-learn's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ml.evaluation import classification as c
from ml.evaluation import ranking as r
from ml.evaluation.reports.percent_density import spearman
from ml.evaluation.reports.rows import mean_figure, within_folds
from tests.ml.evaluation.test_classification import S, Y, random_with_ties

near = partial(pytest.approx, abs=1e-9)


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


def test_one_against_the_rest_equals_scikit_learn():
    rng = np.random.default_rng(2)
    for _ in range(40):
        y = np.r_[0, 1, 2, rng.integers(0, 3, 30)]
        p = rng.integers(1, 8, (len(y), 3)).astype(float)
        p /= p.sum(axis=1, keepdims=True)
        found = c.auc_one_vs_rest_weighted(y, p, np.ones((1, len(y))))[0]
        assert found == near(c.auc_one_vs_rest(y, p)) == near(roc_auc_score(y, p, multi_class="ovr"))


def test_spearman_equals_scipy_with_ties():
    rng = np.random.default_rng(2)
    for _ in range(40):
        a, b = rng.integers(0, 6, (2, 25))
        assert spearman(a, b)(np.ones((1, 25)))[0] == near(spearmanr(a, b).statistic)
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3])(np.ones((1, 3)))[0])


def test_a_figure_within_folds_is_the_mean_of_those_that_have_one():
    values, folds = np.array([1.0, 3.0, 10.0, np.nan]), np.array([0, 0, 1, 2])
    assert within_folds(mean_figure(values), folds)(np.ones((1, 4)))[0] == near(6.0)
    weights = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    found = within_folds(mean_figure(values), folds)(weights)
    assert found[0] == near(1.0) and np.isnan(found[1])
