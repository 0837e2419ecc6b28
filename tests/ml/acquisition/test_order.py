"""The order of the worklist: ranks, weights, ties by key, and what happens when nothing is known."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ml.acquisition.keyed import place
from ml.acquisition.order import order, rank_normalised

NAN = float("nan")


def exams(rows):
    return [exam for exam, _, _ in rows]


def test_the_worked_ranks_come_out():
    assert rank_normalised([0.2, 0.9, 0.9, NAN, 0.1]) == pytest.approx([0.5, 0.875, 0.875, NAN, 0.25], nan_ok=True)


def test_the_most_unsure_exam_comes_first_with_its_reason():
    rows = order({"a": {"density": 0.1}, "b": {"density": 0.3}, "c": {"density": 0.2}})
    assert exams(rows) == ["b", "c", "a"]
    assert rows[0][1] == 1.0
    assert rows[0][2] == {"why": "uncertainty", "parts": {"density": {"value": 0.3, "rank": 1.0, "weight": 1.0}}}


def test_parts_count_by_rank_and_weight_and_not_by_their_size():
    parts = {"a": {"mass": 9.0, "architectural_distortion": 0.01}, "b": {"mass": 1.0, "architectural_distortion": 0.02}}
    rows = order(parts)
    assert exams(rows) == ["b", "a"]
    assert rows[0][1] == pytest.approx((0.5 * 1 + 1.0 * 1.5) / 2.5)
    assert exams(order(parts, {"mass": 3.0})) == ["a", "b"]


def test_a_weight_of_zero_takes_a_part_out():
    rows = order({"a": {"mass": 0.1, "density": 0.9}, "b": {"mass": 0.2, "density": 0.1}}, {"density": 0})
    assert exams(rows) == ["b", "a"]
    assert "density" not in rows[0][2]["parts"]


def test_an_exam_is_judged_by_the_parts_that_it_has():
    rows = order({"a": {"mass": 0.3}, "b": {"mass": 0.2, "density": 0.1}, "c": {"density": 0.5}})
    assert {exam: score for exam, score, _ in rows} == pytest.approx({"a": 1.0, "c": 1.0, "b": 0.5})


@pytest.mark.trap(30)
def test_equal_scores_stand_in_keyed_order_whatever_order_they_came_in():
    pool = {f"exam-{i}": {"density": 0.5} for i in range(20)}
    shuffled = list(pool)
    random.Random(3).shuffle(shuffled)
    expected = sorted(pool, key=lambda exam: place(9, exam))
    assert exams(order(pool, seed=9)) == exams(order({e: pool[e] for e in shuffled}, seed=9)) == expected
    assert exams(order(pool, seed=10)) != expected


@pytest.mark.trap(31)
def test_a_cold_start_is_keyed_and_says_that_nothing_is_scored():
    rows = order({f"exam-{i}": {} for i in range(5)}, seed=4)
    assert exams(rows) == sorted((f"exam-{i}" for i in range(5)), key=lambda exam: place(4, exam))
    assert all(score is None and reason == {"why": "unscored", "parts": {}} for _, score, reason in rows)


@pytest.mark.trap(31)
@pytest.mark.parametrize("bad", [None, NAN, float("inf")])
def test_an_unscored_exam_is_never_the_most_uncertain_and_never_silently_last(bad):
    rows = order({"bad": {"mass": bad}, "sure": {"mass": 0.0}, "unsure": {"mass": 0.6}})
    assert exams(rows) == ["unsure", "sure", "bad"]
    assert rows[-1][1] is None and rows[-1][2]["unscored"] == ["mass"]
    assert rows[0][1] == 1.0 and rows[1][1] == 0.5


@pytest.mark.trap(35)
def test_an_empty_pool_gives_an_empty_order():
    assert order({}) == []


@pytest.mark.parametrize("weight", [-1.0, NAN, float("inf")])
def test_a_weight_that_cannot_be_used_is_refused(weight):
    with pytest.raises(ValueError, match="mass"):
        order({"a": {"mass": 1.0}}, {"mass": weight})


@pytest.mark.trap(34)
def test_shuffling_the_pool_never_changes_the_order():
    rng = np.random.default_rng(0)
    pool = {f"e{i}": {"mass": float(rng.integers(0, 5)), "density": float(rng.random())} for i in range(60)}
    shuffled = list(pool)
    rng.shuffle(shuffled)
    assert order({e: pool[e] for e in shuffled}, seed=1) == order(pool, seed=1)
