"""The dense-tissue gap and the cells of patients: worked examples, and silence where there is too little."""

from __future__ import annotations

from functools import partial

import pytest

from ml.evaluation.classification import delong
from ml.evaluation.subgroups import dense_gap, groups_of
from ml.evaluation.undefined import Undefined

Y = [0, 0, 0, 0, 1, 1, 1, 1]
FATTY = [0.1, 0.2, 0.3, 0.5, 0.4, 0.6, 0.7, 0.9]
DENSE = [0.1, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6, 0.9]
near = partial(pytest.approx, abs=1e-6)


def test_e9_the_worked_gap_comes_out():
    found = dense_gap(Y, FATTY, Y, DENSE, least=4)
    assert (found.fatty, found.dense, found.gap, found.z, found.p) == near(
        (0.9375, 0.625, 0.3125, 1.2768848, 0.2016430)
    )
    assert found.verdict == "no evidence"
    errors = [delong(Y, s).variance ** 0.5 for s in (FATTY, DENSE)]
    assert errors == near([0.0883883, 0.2282177])


def test_a_gap_of_few_patients_is_not_told():
    with pytest.raises(Undefined, match="too_few"):
        dense_gap(Y, FATTY, Y, DENSE)


def test_a_clear_gap_names_its_side():
    y = [0] * 30 + [1] * 30
    good, bad = list(range(60)), [i % 7 for i in range(60)]
    assert dense_gap(y, good, y, bad).verdict == "worse in dense"
    assert dense_gap(y, bad, y, good).verdict == "better in dense"


def test_an_image_is_in_the_cells_of_what_is_known_of_it():
    row = {"density": {"label": "C"}, "view": "MLO", "manufacturer": None, "dataset": "mini-mias"}
    assert groups_of(row) == [("density", "C"), ("density", "C+D"), ("dataset", "mini-mias"), ("view", "MLO")]
    assert groups_of({"density": None}) == []
