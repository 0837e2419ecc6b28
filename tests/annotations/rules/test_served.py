"""Where an exam stands where no model ranks it."""

from uuid import UUID

import pytest

from annotations.rules.served import KEY_BITS, keyed, tier_of, wanted_of

EXAM = UUID("0190a0b0-0000-7000-8000-000000000001")


def test_the_key_of_an_exam_is_the_same_on_every_machine():
    # printf '0|0190a0b0-0000-7000-8000-000000000001' | sha256sum | cut -c1-15
    assert keyed(0, EXAM) == 0x3C060C14128D252


def test_the_key_depends_on_seed_and_exam_and_fits_its_bits():
    keys = {keyed(seed, exam) for seed in (0, 1, -5) for exam in (EXAM, "another")}
    assert len(keys) == 6
    assert all(0 <= key < 2**KEY_BITS for key in keys)


@pytest.mark.parametrize(("split", "tier"), [("val", 0), ("test", 0), ("audit", 0), ("train", 1)])
def test_only_training_exams_are_ranked(split, tier):
    assert tier_of(split) == tier


@pytest.mark.parametrize(
    ("split", "each", "wanted"), [("train", 1, 1), ("train", 3, 3), ("audit", 1, 2), ("audit", 3, 3)]
)
def test_audit_exams_are_read_double(split, each, wanted):
    assert wanted_of(split, each) == wanted
