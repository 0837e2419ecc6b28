"""Pairs of one size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation.reports.matched_sizes import CALIPER, in_pairs

SIDES = st.lists(st.tuples(st.floats(1, 9), st.booleans()), max_size=12)


def test_the_large_lesions_that_no_background_has_are_left_out():
    sides = [10, 20, 30, 200, 10, 20.5, 31]
    positive = [True, True, True, True, False, False, False]
    assert in_pairs(sides, positive).tolist() == [True, True, True, False, True, True, True]


def test_nothing_makes_no_pair():
    assert in_pairs([], []).tolist() == [] and not in_pairs([3.0, 4.0], [True, True]).any()


def test_what_has_no_size_is_in_no_pair():
    keep = in_pairs([0.0, 0.0, float("nan"), 5.0, 5.0], [True, False, True, True, False])
    assert keep.tolist() == [False, False, False, True, True]


@given(SIDES)
def test_as_many_of_one_as_of_the_other_each_within_the_caliper(regions):
    sides, positive = np.array([r[0] for r in regions]), np.array([r[1] for r in regions], bool)
    keep = in_pairs(sides, positive)
    ones, others = np.sort(np.log(sides[keep & positive])), np.sort(np.log(sides[keep & ~positive]))
    assert len(ones) == len(others) and np.all(np.abs(ones - others) <= CALIPER + 1e-12)


@given(SIDES.filter(lambda found: len(found) <= 8))
def test_no_other_pairing_has_more(regions):
    from scipy.optimize import linear_sum_assignment

    sides, positive = np.array([r[0] for r in regions]), np.array([r[1] for r in regions], bool)
    near = np.abs(np.log(sides[positive])[:, None] - np.log(sides[~positive])[None]) <= CALIPER
    most = near[linear_sum_assignment(-near.astype(float))].sum() if near.size else 0
    assert in_pairs(sides, positive).sum() == 2 * most


def test_size_alone_tells_nothing_of_what_is_paired():
    rng = np.random.default_rng(3)
    sides = np.concatenate([np.exp(rng.normal(3.4, 0.5, 300)), np.exp(rng.normal(3.0, 0.4, 300))])
    positive = np.arange(600) < 300
    keep = in_pairs(sides, positive)
    ranks = sides[keep & positive][:, None] - sides[keep & ~positive][None]
    assert keep.sum() > 300 and np.mean(ranks > 0) + np.mean(ranks == 0) / 2 == pytest.approx(0.5, abs=0.03)
    unmatched = sides[positive][:, None] > sides[~positive][None]
    assert unmatched.mean() > 0.7
