"""Who trains and who tests; which header is one of a mammogram."""

from hypothesis import given
from hypothesis import strategies as st

from archive.models import Split
from archive.rules import drawn_splits, meaning_of

PATIENTS = [f"mini-mias:{n}" for n in range(1, 31)]


def test_an_official_split_wins():
    drawn = drawn_splits(seed=0, patients=PATIENTS, official={PATIENTS[0]: "test"}, tags=None)
    assert drawn[PATIENTS[0]] == Split.TEST and len(drawn) == 30


def test_a_labelled_import_of_twenty_is_stratified_by_its_labels():
    tags = {patient: frozenset({"density:a" if number % 3 else "density:c"}) for number, patient in enumerate(PATIENTS)}
    drawn = drawn_splits(seed=0, patients=PATIENTS, official={}, tags=tags)
    for tag in ("density:a", "density:c"):
        of_tag = [drawn[patient] for patient in PATIENTS if tag in tags[patient]]
        assert abs(of_tag.count(Split.TRAIN) / len(of_tag) - 0.7) < 0.11
        assert Split.VAL in of_tag and Split.TEST in of_tag


def test_a_labelled_import_of_nineteen_is_drawn_by_key():
    few = PATIENTS[:19]
    labelled = drawn_splits(seed=3, patients=few, official={}, tags={})
    assert labelled == drawn_splits(seed=3, patients=few, official={}, tags=None)


@given(st.sets(st.sampled_from(PATIENTS), min_size=1), st.integers(0, 5))
def test_without_labels_no_patient_moves_another(patients, seed):
    drawn = drawn_splits(seed=seed, patients=patients, official={}, tags=None)
    for patient in patients:
        assert drawn_splits(seed=seed, patients=[patient], official={}, tags=None)[patient] == drawn[patient]


def test_an_audit_share_is_set_aside_and_is_none_unless_asked():
    many = [f"P-{n}" for n in range(400)]
    assert Split.AUDIT not in drawn_splits(seed=0, patients=many, official={}, tags=None).values()
    drawn = drawn_splits(seed=0, patients=many, official={}, tags=None, audit_share=0.25)
    assert 0.18 < list(drawn.values()).count(Split.AUDIT) / 400 < 0.32


def test_every_code_of_a_rejected_item_has_words_and_a_cure():
    for code in ("not_dicom", "pixel_data_truncated", "not_mammography", "no_pixel_data", "multiframe_unsupported",
                 "too_small", "syntax_unreadable"):  # fmt: skip
        meaning = meaning_of(f"archive.{code}")
        assert meaning["sentence"].endswith(".") and meaning["cure"].endswith(".")
