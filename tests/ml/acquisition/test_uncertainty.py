"""Entropy and mutual information: worked values, bounds, and numbers that are no probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.acquisition.uncertainty import entropy, mutual_information, probabilities, two_class

passes = arrays(np.float64, (4, 3, 3), elements=st.floats(0.0, 1.0)).map(
    lambda a: (a + 1e-3) / (a + 1e-3).sum(-1, keepdims=True)
)


def test_the_worked_entropies_come_out():
    p = [[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]
    assert entropy(p) == pytest.approx([0.801819, 1.080528, 0, 1.098612], abs=1e-6)


def test_the_worked_mutual_information_comes_out():
    first = np.array([[0.9, 0.1, 0.8, 0.2], [0.5, 0.5, 0.5, 0.5], [0.8, 0.7, 0.9, 0.6]]).T
    assert mutual_information(two_class(first)) == pytest.approx([0.280404, 0, 0.034995], abs=1e-6)


@given(passes)
def test_mutual_information_lies_between_nothing_and_the_entropy_of_the_mean(p):
    found = mutual_information(p)
    assert (found >= 0).all()
    assert (found <= entropy(p.mean(axis=0)) + 1e-12).all()
    assert (entropy(p) <= np.log(3) + 1e-12).all()


@given(passes)
def test_the_order_of_the_classes_changes_nothing(p):
    assert mutual_information(p[..., ::-1]) == pytest.approx(mutual_information(p), abs=1e-12)


@given(passes)
def test_passes_that_agree_hold_no_information(p):
    assert mutual_information(np.repeat(p[:1], 4, axis=0)) == pytest.approx(np.zeros(3), abs=1e-12)


@pytest.mark.parametrize("bad", [[0.5, 0.51], [1.1, -0.1], [np.nan, 1.0], [np.inf, 0.0]])
def test_a_row_that_is_no_probability_is_unscored_and_leaves_the_others_alone(bad):
    found = entropy([bad, [0.5, 0.5]])
    assert np.isnan(found[0]) and found[1] == pytest.approx(np.log(2))


def test_half_precision_sums_are_made_whole():
    p = np.array([[0.3333, 0.3333, 0.3333], [0.7, 0.2, 0.1]], np.float16)
    assert probabilities(p).sum(axis=-1) == pytest.approx([1.0, 1.0], abs=1e-15)
