"""ROC, AUC and DeLong: worked examples, properties, and scikit-learn beside ours."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from ml.evaluation import classification as c
from ml.evaluation.undefined import NotAScore, Undefined

Y = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
S = [0.1, 0.2, 0.3, 0.4, 0.6, 0.35, 0.4, 0.7, 0.8, 0.9]
S2 = [0.15, 0.25, 0.5, 0.3, 0.55, 0.45, 0.35, 0.6, 0.65, 0.95]
near = partial(pytest.approx, abs=1e-6)


@st.composite
def labelled(draw):
    n = draw(st.integers(4, 40))
    y = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda v: 0 < sum(v) < len(v)))
    s = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    return np.array(y), np.array(s) / 12


def random_with_ties(count=200):
    rng = np.random.default_rng(5)
    for _ in range(count):
        y = np.r_[0, 1, rng.integers(0, 2, rng.integers(5, 60))]
        yield y, rng.integers(0, 20, len(y)) / 20


def test_e1_the_worked_roc_comes_out():
    found = c.delong(Y, S)
    assert c.auc(Y, S) == found.auc == near(0.86)
    assert found.v10 == near([0.6, 0.7, 1, 1, 1])
    assert found.v01 == near([1, 1, 1, 0.7, 0.6])
    assert found.variance**0.5 == near(0.12328828)
    assert c.delong_interval(found) == near((0.452223, 0.978590))
    assert c.average_precision(Y, S) == near(0.8761905)
    assert c.partial_auc(Y, S, 0.2) == near((0.12, 0.7777778))
    assert c.sensitivity_at(Y, S, 0.8)[0] == near(0.6)
    assert c.sensitivity_at(Y, S, 0.9) == c.sensitivity_at(Y, S, 1.0) == near((0.6, 0.7))


def test_e2_the_worked_comparison_comes_out():
    found = c.delong_paired(Y, S, S2)
    assert c.auc(Y, S2) == near(0.84)
    assert (found.difference, found.sd, found.z, found.p) == near((0.02, 0.11313708, 0.17677670, 0.85968380))


def test_a_model_compared_with_itself_differs_by_nothing():
    found = c.delong_paired(Y, S, S)
    assert (found.difference, found.p) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("k", "n", "interval"), [(8, 10, (0.490162, 0.943318)), (10, 10, (0.722467, 1)), (0, 5, (0, 0.434482))]
)
def test_e10_the_worked_wilson_intervals_come_out(k, n, interval):
    assert c.wilson(k, n) == near(interval)


def test_a_perfect_separation_has_a_conservative_interval():
    assert c.delong_interval(c.delong([0, 0, 0, 1, 1], [1, 2, 3, 4, 5])) == near((0.025 ** (1 / 2), 1.0))
    assert c.delong_interval(c.delong([1, 1, 0, 0, 0], [1, 2, 3, 4, 5])) == near((0.0, 1 - 0.025 ** (1 / 2)))


@pytest.mark.parametrize(("y", "reason"), [([1, 1], "one_class"), ([], "empty")])
def test_one_class_has_no_auc(y, reason):
    with pytest.raises(Undefined) as raised:
        c.auc(y, [0.5] * len(y))
    assert raised.value.reason == reason


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(NotAScore):
        c.auc([0, 1], [0.5, float("nan")])


@given(labelled())
def test_turning_the_scores_round_turns_the_auc_round(data):
    y, s = data
    assert c.auc(y, 1 - s) == near(1 - c.auc(y, s))


@given(labelled())
def test_only_the_order_of_the_scores_counts(data):
    y, s = data
    assert c.auc(y, np.exp(3 * s)) == near(c.auc(y, s))
    assert c.average_precision(y, np.exp(3 * s)) == near(c.average_precision(y, s))


@given(labelled(), st.randoms())
def test_neither_shuffling_nor_doubling_the_rows_changes_a_value(data, random):
    y, s = data
    rows = list(range(len(y))) * 2
    random.shuffle(rows)
    assert c.auc(y[rows], s[rows]) == near(c.auc(y, s))
    assert c.partial_auc(y[rows], s[rows], 0.3) == near(c.partial_auc(y, s, 0.3))


@given(labelled())
def test_weights_are_repetitions(data):
    y, s = data
    w = np.arange(len(y)) % 3
    if 0 < y[w > 0].sum() < (w > 0).sum():
        repeated = np.repeat(np.arange(len(y)), w)
        assert c.auc_weighted(y, s, w[None].astype(float))[0] == near(c.auc(y[repeated], s[repeated]))


def test_ours_agree_with_scikit_learn_on_arrays_with_ties():
    for y, s in random_with_ties():
        assert c.auc(y, s) == near(sk.roc_auc_score(y, s))
        assert c.average_precision(y, s) == near(sk.average_precision_score(y, s))
        for fpr in (0.1, 0.3, 0.9):
            assert c.partial_auc(y, s, fpr)[1] == near(sk.roc_auc_score(y, s, max_fpr=fpr))


def test_a_decision_counts_everybody_once():
    found = c.decision(Y, S, 0.4)
    assert (found["tp"], found["fp"], found["fn"], found["tn"]) == (4, 2, 1, 3)
    assert (found["sensitivity"], found["specificity"], found["abnormal_rate"]) == near((0.8, 0.6, 0.6))
    assert c.decision([0, 0], [0.1, 0.2], 0.5)["sensitivity"] is None


def test_specificity_at_a_sensitivity_is_the_mirror():
    assert c.specificity_at(Y, S, 1.0) == near((0.6, 0.35))
    assert c.specificity_at(Y, S, 0.6) == near((1.0, 0.7))
