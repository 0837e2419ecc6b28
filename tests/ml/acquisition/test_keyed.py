"""Keyed noise: the worked draws, and that shards and order change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ml.acquisition.keyed import gumbel, place, uniform

UIDS = ["e1", "e2", "e3", "e4", "e5"]


def test_the_worked_draws_come_out():
    assert uniform(7, 3, "power", UIDS) == pytest.approx([0.286946, 0.050323, 0.587426, 0.216882, 0.981886], abs=1e-6)
    assert gumbel(7, 3, "power", UIDS) == pytest.approx([-0.221911, -1.095035, 0.631101, -0.424221, 4.001955], abs=1e-6)
    assert uniform(7, 3, "random", UIDS) == pytest.approx([0.380032, 0.809605, 0.820737, 0.261333, 0.896287], abs=1e-6)


def test_a_shard_draws_what_the_whole_draws():
    whole = uniform(7, 3, "power", UIDS)
    assert np.array_equal(np.concatenate([uniform(7, 3, "power", UIDS[:2]), uniform(7, 3, "power", UIDS[2:])]), whole)
    assert np.array_equal(uniform(7, 3, "power", UIDS[::-1]), whole[::-1])


def test_draws_are_never_zero_or_one():
    draws = uniform(0, 1, "random", [str(i) for i in range(20_000)])
    assert draws.min() > 0 and draws.max() < 1
    assert draws.mean() == pytest.approx(0.5, abs=0.01)


def test_the_place_among_equals_is_that_of_the_seed_and_the_exam():
    assert place(0, "x") == place("0", "x") != place(1, "x")


def test_nobody_draws_nothing():
    assert uniform(0, 0, "random", []).shape == (0,)
