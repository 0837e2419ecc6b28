"""Splits by patient: the worked example, and that nothing but the patient moves a patient."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ml.datasets.splits import keyed_split, stratified

PATIENTS = {f"p{i:02d}": set() for i in range(12)}
for tag, members in {"malignant": range(4), "dense": range(2, 8), "calc": (8, 9)}.items():
    for member in members:
        PATIENTS[f"p{member:02d}"].add(tag)
FRACTIONS = {"train": 0.5, "val": 0.25, "test": 0.25}


def test_the_worked_example_is_drawn_as_written():
    drawn = stratified(PATIENTS, FRACTIONS, "0")
    by_split = {split: sorted(p for p in drawn if drawn[p] == split) for split in FRACTIONS}
    assert by_split == {
        "train": ["p00", "p03", "p06", "p07", "p09", "p11"],
        "val": ["p01", "p05", "p10"],
        "test": ["p02", "p04", "p08"],
    }


def test_the_order_of_the_patients_changes_nothing():
    shuffled = list(PATIENTS)
    random.Random(1).shuffle(shuffled)
    again = stratified({patient: PATIENTS[patient] for patient in shuffled}, FRACTIONS, 0)
    assert again == stratified(PATIENTS, FRACTIONS, "0")


def test_another_seed_draws_another_split():
    assert stratified(PATIENTS, FRACTIONS, 1) != stratified(PATIENTS, FRACTIONS, 0)


def test_every_tag_is_spread_as_asked():
    patients = {f"q{i:03d}": {"density:" + "abc"[i % 3], *({"finding:mass"} if i % 4 == 0 else ())} for i in range(120)}
    drawn = stratified(patients)
    for tag in ("density:a", "density:b", "finding:mass"):
        counts = Counter(drawn[p] for p, own in patients.items() if tag in own)
        total = sum(counts.values())
        assert counts["train"] == pytest.approx(0.70 * total, abs=2)
        assert counts["test"] == pytest.approx(0.15 * total, abs=2)


def test_no_patients_give_no_split():
    assert stratified({}) == {}


@pytest.mark.trap(36)
def test_a_keyed_split_depends_on_seed_and_patient_alone():
    assert keyed_split(0, "mini-mias:12") == keyed_split("0", "mini-mias:12")
    shares = Counter(keyed_split(0, f"patient-{i}") for i in range(4000))
    assert shares["train"] / 4000 == pytest.approx(0.70, abs=0.03)
    assert shares["val"] / 4000 == pytest.approx(0.15, abs=0.03)
    assert shares["test"] / 4000 == pytest.approx(0.15, abs=0.03)
