"""The patient bootstrap: the worked interval, whole patients, and honest silence where there is too little."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.classification import auc_weighted
from ml.evaluation.intervals import described, differ, percentile, resample, undrawn

Y = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
S = [0.1, 0.2, 0.3, 0.4, 0.6, 0.35, 0.4, 0.7, 0.8, 0.9]
PATIENTS = list("0012344567")


def positive_of(patients, y):
    return {p: any(v for q, v in zip(patients, y, strict=True) if q == p) for p in set(patients)}


def test_e3_the_worked_bootstrap_comes_out():
    draws = resample(positive_of(PATIENTS, Y), replicates=2000, seed=20240101)
    found = percentile(auc_weighted(Y, S, draws.of_units(PATIENTS)))
    assert found.ci == pytest.approx((0.5179, 1.0), abs=0.02)
    assert found.se == pytest.approx(0.1439, abs=0.02)


def test_all_images_of_a_patient_are_drawn_together():
    draws = resample(positive_of(PATIENTS, Y), replicates=50, seed=1)
    weights = draws.of_units(PATIENTS)
    assert np.array_equal(weights[:, 0], weights[:, 1]) and np.array_equal(weights[:, 5], weights[:, 6])


def test_every_draw_has_as_many_positive_patients_as_there_are():
    draws = resample(positive_of(PATIENTS, Y), replicates=50, seed=1)
    assert draws.n_pos == 4
    assert (draws.counts[:, 4:].sum(axis=1) == 4).all() and (draws.counts[:, :4].sum(axis=1) == 4).all()


def test_the_order_of_the_patients_changes_nothing():
    positive = positive_of(PATIENTS, Y)
    again = resample(dict(reversed(positive.items())), replicates=20, seed=3)
    assert np.array_equal(resample(positive, replicates=20, seed=3).counts, again.counts)


def test_a_stream_that_is_drawn_on_from_begins_alike_and_does_not_repeat_itself():
    positive = positive_of(PATIENTS, Y)
    stream = np.random.default_rng(3)
    first, second = (resample(positive, replicates=200, seed=stream).counts for _ in range(2))
    assert np.array_equal(first, resample(positive, replicates=200, seed=3).counts)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.2


def test_many_undefined_replicates_give_no_interval_and_say_so():
    values = np.r_[np.full(30, np.nan), np.linspace(0, 1, 70)]
    found = percentile(values)
    assert (found.ci, found.reason, found.dropped) == (None, "too_few", 30)
    assert described(found, 30)["params"]["ci_reason"] == "too_few"


def test_few_positive_patients_make_an_interval_wide():
    assert described(percentile(np.linspace(0, 1, 100)), 9)["params"]["wide"]
    assert "wide" not in described(percentile(np.linspace(0, 1, 100)), 10)["params"]


def test_one_patient_a_side_can_only_be_drawn_again_and_gives_no_interval():
    one = resample({"a": False, "b": True}, replicates=50)
    two = resample({"a": False, "b": True, "c": True}, replicates=50)
    assert not differ(one.counts) and differ(two.counts)
    assert described(undrawn(50), 1)["ci"] is None
