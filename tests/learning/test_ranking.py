"""A round is a function of its input."""

import json

import pytest

from learning.ranking import KEYED, UNCERTAINTY, batch_sha256, draw, ranking_document
from ml.acquisition.order import order

PARTS = {
    "e1": {"density": 0.1, "mass": 0.3},
    "e2": {"density": 0.5},
    "e3": {"density": 0.5, "mass": None},
    "e4": {},
    "e5": {"density": 0.02, "mass": 0.9},
}


def document(parts=PARTS, seed=0):
    return ranking_document(seed=seed, weights={"density": 1.0, "mass": 1.0}, versions=[], parts_by_exam=parts)


@pytest.mark.trap(30)
def test_the_list_is_the_order_that_acquisition_gives():
    given = document()
    assert [row.exam_id for row in draw(given)] == [exam for exam, _, _ in order(PARTS, given["weights"], 0)]


def test_a_round_can_be_drawn_again_from_what_was_stored():
    given = document()
    again = json.loads(json.dumps(given))
    assert batch_sha256(draw(given)) == batch_sha256(draw(again))
    assert [row.position for row in draw(again)] == [1, 2, 3, 4, 5]


def test_another_seed_moves_only_what_ties():
    first, other = draw(document(seed=0)), draw(document(seed=1))
    assert {row.exam_id: row.score for row in first} == {row.exam_id: row.score for row in other}


@pytest.mark.trap(35)
def test_an_empty_pool_gives_an_empty_list():
    assert draw(document({})) == []


@pytest.mark.trap(31)
def test_without_scores_the_order_is_by_chance_and_says_so():
    given = document({exam: {} for exam in PARTS})
    assert given["strategy"] == KEYED
    assert {row.score for row in draw(given)} == {None}
    assert {row.reason["why"] for row in draw(given)} == {"unscored"}
    assert document()["strategy"] == UNCERTAINTY
